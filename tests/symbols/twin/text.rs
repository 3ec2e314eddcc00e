// SPDX-License-Identifier: MIT
// Strings: iterators, formatting and slices.
use crate::ledger::Ledger;
use crate::matrix::Matrix;
use std::fmt::Write;

#[inline(never)]
pub fn words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, letter) in text.char_indices() {
        if !letter.is_alphanumeric() {
            found.push(text[start..at].to_uppercase());
            start = at + letter.len_utf8();
        }
    }
    found.push(text[start..].trim_end_matches('x').replace("ab", "c"));
    assert!(found.len() > 2, "too few words: {:?}", found);
    found
}
#[inline(never)]
pub fn report(ledger: &Ledger, matrix: &Matrix) -> String {
    let mut out = String::new();
    for entry in &ledger.entries {
        writeln!(out, "{:>10} {:8} {:?}", entry.name, entry.amount, entry.tags).unwrap();
    }
    for row in &matrix.cells {
        let line: Vec<String> = row.iter().map(|c| format!("{c:.2}")).collect();
        out.push_str(&line[1..].join(" "));
    }
    middle(&out).to_string()
}
#[inline(never)]
fn middle(text: &str) -> &str {
    let half = text.len() / 2;
    let (first, second) = text.split_at(half);
    if first.as_bytes()[half - 1] > second.as_bytes()[0] { first } else { second }
}
