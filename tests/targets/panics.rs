// SPDX-License-Identifier: MIT
// Rust panics that unwind through frames which allocate, in main and in threads; catch_unwind
// gets each. Vectors grown on the way leave Rust frames in the stacks.
use std::panic;

#[inline(never)]
fn grow_and_panic(depth: usize) -> Vec<u8> {
    let mut held = Vec::with_capacity(64 + depth);
    held.extend(std::iter::repeat(depth as u8).take(1000));
    if depth == 0 {
        panic!("at the bottom with {} bytes", held.len());
    }
    let deeper = grow_and_panic(depth - 1);
    held.extend(deeper);
    held
}

#[inline(never)]
fn blocks_that_stay() {
    for _ in 0..1000 {
        std::mem::forget(std::hint::black_box(vec![7u8; 222]));
    }
}

fn main() {
    panic::set_hook(Box::new(|_| {}));
    let caught = (0..2000)
        .filter(|n| panic::catch_unwind(|| grow_and_panic(n % 20)).is_err())
        .count();
    let workers: Vec<_> = (0..20)
        .map(|_| std::thread::spawn(|| grow_and_panic(10)))
        .collect();
    let died = workers.into_iter().filter(|_| true).map(|w| w.join()).filter(|r| r.is_err()).count();
    blocks_that_stay();
    let good = caught == 2000 && died == 20;
    println!(
        "{} - 2000 panics are caught and 20 threads end by one{}",
        if good { "ok" } else { "not ok" },
        if good { String::new() } else { format!(": {} and {}", caught, died) }
    );
    std::process::exit(if good { 0 } else { 1 });
}
