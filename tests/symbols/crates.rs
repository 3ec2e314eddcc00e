// SPDX-License-Identifier: MIT
// Rust: modules, generics, closures, traits and inlining. It prints as here.h says; names are those
// of the v0 mangling, with the legacy one behind a slash where it says less. The line is that of
// the macro, to which rustc puts down assembly.
use std::fs;

fn bias() -> usize {
    let exe = fs::read_link("/proc/self/exe").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|l| l.ends_with(exe.to_str().unwrap())).unwrap();
    usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap()
}
#[inline(never)]
fn print(pc: usize, chain: &str) {
    println!("{:x}|{}|crates.rs|{}", pc - bias() - 1, chain, ASM_LINE);
}
const ASM_LINE: u32 = line!() + 4;
macro_rules! here {
    ($chain:expr) => {
        let pc: usize;
        unsafe { std::arch::asm!("lea {}, [rip]", out(reg) pc); }
        crate::print(pc, $chain);
    };
}

mod shapes {
    pub trait Area {
        fn area(&self) -> f64;
    }
    pub struct Square<T> {
        pub side: T,
    }
    impl Area for Square<f64> {
        #[inline(never)]
        fn area(&self) -> f64 {
            here!("<crates::shapes::Square<f64> as crates::shapes::Area>::area");
            self.side * self.side
        }
    }
    impl<T: Copy> Square<T> {
        #[inline(never)]
        pub fn new(side: T) -> Self {
            here!("<crates::shapes::Square<f64>>::new/crates::shapes::Square<T>::new");
            Square { side }
        }
    }
    #[inline(always)]
    pub fn leaf(x: u64) -> u64 {
        here!("crates::shapes::leaf in crates::shapes::middle in crates::outer");
        x + 1
    }
    #[inline(always)]
    pub fn middle(x: u64) -> u64 {
        leaf(x) * 3
    }
}
use shapes::Area;

#[inline(never)]
fn outer(x: u64) -> u64 {
    let y = shapes::middle(x);
    here!("crates::outer");
    y + x
}
#[inline(never)]
fn generic<T: std::fmt::Debug, const N: usize>(all: [T; N]) -> usize {
    here!("crates::generic::<i32, 3>/crates::generic");
    all.len() + format!("{:?}", all).len()
}
#[inline(never)]
fn run(f: &dyn Fn(u64) -> u64) -> u64 {
    std::hint::black_box(f)(1) + 1
}

fn main() {
    let n = std::env::args().count() as u64;
    let square = shapes::Square::new(n as f64);
    let closure = |x: u64| {
        here!("crates::main::{closure#0}/crates::main::{{closure}}");
        x + n
    };
    if square.area() as u64 + outer(n) + generic([1, 2, 3]) as u64 + run(&closure) == 77777 {
        println!();
    }
}
