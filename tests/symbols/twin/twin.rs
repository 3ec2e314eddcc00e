// SPDX-License-Identifier: MIT
// A library whose stripped twin must be labelled with the right sources: some modules, each with
// panics of its own and a good deal of the standard library inlined.
mod ledger;
mod matrix;
mod text;

#[no_mangle]
pub extern "C" fn twin_run(bytes: *const u8, length: usize) -> usize {
    let input = unsafe { std::slice::from_raw_parts(bytes, length) };
    let words = text::words(std::str::from_utf8(input).expect("text"));
    let ledger = ledger::Ledger::read(&words);
    let table = matrix::Matrix::new(words.len() % 7 + 1, &words);
    ledger.total() + table.trace() + text::report(&ledger, &table).len()
}
