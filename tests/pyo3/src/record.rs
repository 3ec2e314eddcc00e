// SPDX-License-Identifier: MIT
//! The struct that is converted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
pub struct Record {
    id: u64,
    name: String,
    tags: Vec<String>,
    scores: Vec<f64>,
    extra: BTreeMap<String, i64>,
    #[serde(with = "serde_bytes")]
    payload: Vec<u8>,
}

impl Record {
    pub fn sample(id: u64) -> Record {
        Record {
            id,
            name: format!("record {id}"),
            tags: (0..4).map(|n| format!("tag {n}")).collect(),
            scores: vec![0.5, 1.5, id as f64],
            extra: (0..3).map(|n| (format!("key {n}"), n)).collect(),
            payload: vec![7; 300],
        }
    }

    pub fn weight(&self) -> u64 {
        let text: usize = self.name.len() + self.tags.iter().map(String::len).sum::<usize>();
        self.id + (text + self.scores.len() + self.extra.len() + self.payload.len()) as u64
    }
}
