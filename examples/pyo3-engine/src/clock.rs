// SPDX-License-Identifier: MIT
//! The clock inside: what each conversion took, measured where it happens. A profiler's figures are
//! held against it. It costs nothing until it is switched on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

static ON: AtomicBool = AtomicBool::new(false);
static TIMES: Mutex<BTreeMap<&str, (u64, Duration)>> = Mutex::new(BTreeMap::new());

pub fn switch(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// Adds the time since `from`, if there is one, to what `name` took.
pub fn stop(name: &'static str, from: Option<Instant>) {
    if let Some(from) = from {
        let took = from.elapsed();
        let mut times = TIMES.lock().expect("the clock");
        let entry = times.entry(name).or_default();
        entry.0 += 1;
        entry.1 += took;
    }
}

pub fn start() -> Option<Instant> {
    ON.load(Ordering::Relaxed).then(Instant::now)
}

pub fn timed<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    let from = start();
    let result = work();
    stop(name, from);
    result
}

/// Name, number and seconds of everything that was timed.
pub fn read() -> Vec<(&'static str, u64, f64)> {
    let times = TIMES.lock().expect("the clock");
    times.iter().map(|(name, (number, took))| (*name, *number, took.as_secs_f64())).collect()
}
