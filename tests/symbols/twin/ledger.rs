// SPDX-License-Identifier: MIT
// Entries by name and their sums: maps, slices and sorting.
use std::collections::{BTreeMap, HashMap};

pub struct Entry {
    pub name: String,
    pub amount: i64,
    pub tags: Vec<String>,
}
pub struct Ledger {
    pub entries: Vec<Entry>,
    pub by_name: BTreeMap<String, Vec<usize>>,
}
impl Ledger {
    #[inline(never)]
    pub fn read(words: &[String]) -> Ledger {
        let mut entries = Vec::new();
        for pair in words.chunks(3) {
            entries.push(Entry {
                name: pair[0].clone(),
                amount: pair[1].parse().unwrap_or(pair[1].len() as i64),
                tags: pair[2].split(',').map(str::to_owned).collect(),
            });
        }
        let by_name = index(&entries);
        Ledger { entries, by_name }
    }
    #[inline(never)]
    pub fn total(&self) -> usize {
        let mut sums: HashMap<&str, i64> = HashMap::new();
        for (name, numbers) in &self.by_name {
            for number in numbers {
                *sums.entry(name).or_insert(0) += self.entries[*number].amount;
            }
        }
        let largest = sums.values().max().unwrap();
        usize::try_from(*largest).expect("a positive sum") + self.tags().len()
    }
    #[inline(never)]
    fn tags(&self) -> Vec<&String> {
        let mut all: Vec<&String> = self.entries.iter().flat_map(|e| &e.tags).collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        all.dedup();
        all[..all.len() / 2].to_vec()
    }
}
#[inline(never)]
fn index(entries: &[Entry]) -> BTreeMap<String, Vec<usize>> {
    let mut map: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for number in 0..entries.len() + 1 {
        map.entry(entries[number].name.clone()).or_default().push(number);
    }
    map
}
