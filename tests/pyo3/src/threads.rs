// SPDX-License-Identifier: MIT
//! Threads that Python knows nothing of: their stacks are native alone, and their names tell them
//! apart.

use pyo3::prelude::*;
use std::hint::black_box;
use std::thread;

/// Runs `threads` threads named crunch-0, crunch-1, ... without the GIL; each allocates `blocks`
/// blocks of 100 bytes and forgets one of 5,000.
#[pyfunction]
pub fn on_threads(py: Python<'_>, threads: usize, blocks: usize) -> usize {
    py.detach(|| {
        let running: Vec<_> = (0..threads)
            .map(|n| {
                let named = thread::Builder::new().name(format!("crunch-{n}"));
                named.spawn(move || crunch(blocks)).expect("a thread")
            })
            .collect();
        running.into_iter().map(|t| t.join().expect("its result")).sum()
    })
}

/// Spawns `tasks` tasks on a tokio runtime of two workers; each does the same.
#[pyfunction]
pub fn on_tokio(py: Python<'_>, tasks: usize, blocks: usize) -> usize {
    py.detach(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).build().expect("a runtime");
        runtime.block_on(async {
            let running: Vec<_> = (0..tasks).map(|_| tokio::spawn(task(blocks))).collect();
            let mut sum = 0;
            for handle in running {
                sum += handle.await.expect("its result");
            }
            sum
        })
    })
}

async fn task(blocks: usize) -> usize {
    crunch(blocks)
}

#[inline(never)]
fn crunch(blocks: usize) -> usize {
    std::mem::forget(black_box(vec![1u8; 5000]));
    (0..blocks).map(|n| black_box(vec![n as u8; 100]).len()).sum()
}
