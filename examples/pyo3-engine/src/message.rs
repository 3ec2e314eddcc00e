// SPDX-License-Identifier: MIT
//! What goes over the bridge: a chat request, a file in three dresses, chunks of a response, and
//! the record whose conversions are known by number.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize)]
pub struct Request {
    model: String,
    stream: bool,
    temperature: f64,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct Message {
    role: String,
    content: String,
}

impl Request {
    pub fn sample(bytes: usize) -> Request {
        let message = |role: &str, content: String| Message { role: role.into(), content };
        Request {
            model: "small-3b".into(),
            stream: true,
            temperature: 0.7,
            messages: vec![message("system", "Be brief.".into()), message("user", text(bytes))],
        }
    }
}

pub fn text(bytes: usize) -> String {
    "lorem ipsum ".repeat(bytes / 12 + 1)
}

/// Serde sees a sequence of numbers in it: 1 MiB becomes a list of a million integers.
#[derive(Serialize, Deserialize)]
pub struct NumberedFile {
    pub name: String,
    pub body: Vec<u8>,
}

/// The same file, whose body is bytes for serde as well.
#[derive(Serialize, Deserialize)]
pub struct BytesFile {
    pub name: String,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
}

/// What the body is made of.
pub fn body_byte(position: usize) -> u8 {
    (position * 7) as u8
}

pub fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(body_byte).collect()
}

/// A piece of a response, some 200 bytes of text.
#[derive(Serialize, Deserialize)]
pub struct Chunk {
    pub id: String,
    pub created: u64,
    pub model: String,
    pub choices: Vec<Choice>,
}

#[derive(Serialize, Deserialize)]
pub struct Choice {
    pub index: u32,
    pub finish_reason: Option<String>,
    pub delta: Delta,
}

#[derive(Serialize, Deserialize)]
pub struct Delta {
    pub role: String,
    pub content: String,
}

impl Chunk {
    pub fn sample(number: usize) -> Chunk {
        let content = format!("token {number} of the answer that nobody has waited for so long ago, ").repeat(3);
        Chunk {
            id: format!("chunk-{number:08}"),
            created: 1_700_000_000 + number as u64,
            model: "small-3b".into(),
            choices: vec![Choice { index: 0, finish_reason: None, delta: Delta { role: "assistant".into(), content } }],
        }
    }

    pub fn text_bytes(&self) -> usize {
        self.choices.iter().map(|choice| choice.delta.content.len()).sum()
    }
}

/// pythonize makes of it exactly 2 dicts with 9 items, 2 lists, 14 strings and 1 bytes object.
#[derive(Serialize)]
pub struct Known {
    id: u64,
    title: String,
    tags: Vec<String>,
    scores: Vec<f64>,
    counts: BTreeMap<String, i64>,
    #[serde(with = "serde_bytes")]
    blob: Vec<u8>,
}

impl Known {
    pub fn sample() -> Known {
        let counts = ["seen", "kept", "lost"].iter().zip(1..).map(|(name, n)| (name.to_string(), n));
        Known {
            id: 17,
            title: "a record".into(),
            tags: ["red", "green", "blue", "none"].map(String::from).to_vec(),
            scores: vec![0.25, 0.5, 0.75],
            counts: counts.collect(),
            blob: vec![7; 300],
        }
    }
}
