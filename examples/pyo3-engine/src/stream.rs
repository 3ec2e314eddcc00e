// SPDX-License-Identifier: MIT
//! Responses: Python makes chunks one by one, Rust takes them, three ways. In a service other
//! Python threads hold the GIL meanwhile, and each time that somebody takes it he waits his turn.

use crate::clock;
use crate::message::Chunk;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use std::sync::LazyLock;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.max_blocking_threads(4).thread_name("engine-blocking").build().expect("a runtime")
});

fn next(py: Python<'_>, chunks: &Py<PyIterator>) -> PyResult<Option<Py<PyAny>>> {
    let mut chunks = chunks.bind(py).clone();
    chunks.next().map(|chunk| Ok(chunk?.unbind())).transpose()
}

fn read(py: Python<'_>, item: &Py<PyAny>) -> PyResult<usize> {
    let chunk: Chunk = clock::timed("stream.read", || pythonize::depythonize(item.bind(py)))?;
    Ok(chunk.text_bytes())
}

/// Takes the GIL; how long that lasted, and how long the work with it, go to the clock.
fn with_gil<T>(wait: &'static str, hold: &'static str, work: impl FnOnce(Python<'_>) -> T) -> T {
    let asked = clock::start();
    let (result, had) = Python::attach(|py| {
        clock::stop(wait, asked);
        let had: Option<Instant> = clock::start();
        (work(py), had)
    });
    clock::stop(hold, had);
    result
}

/// Each chunk is fetched here and read on a thread of tokio's pool: the GIL is taken twice.
pub fn blocking(chunks: Py<PyIterator>) -> PyResult<usize> {
    RUNTIME.block_on(async {
        let mut bytes = 0;
        while let Some(item) = with_gil("stream_blocking.fetch.wait", "stream_blocking.fetch.hold", |py| next(py, &chunks))? {
            let reading = tokio::task::spawn_blocking(move || {
                with_gil("stream_blocking.wait", "stream_blocking.hold", |py| read(py, &item))
            });
            bytes += reading.await.map_err(|e| PyRuntimeError::new_err(e.to_string()))??;
        }
        Ok(bytes)
    })
}

/// Each chunk is read where it was fetched.
pub fn direct(chunks: Py<PyIterator>) -> PyResult<usize> {
    batched(chunks, 1)
}

/// The GIL is taken once for `batch` chunks.
pub fn batched(chunks: Py<PyIterator>, batch: usize) -> PyResult<usize> {
    let read_some = |py: Python<'_>| -> PyResult<Option<usize>> {
        let mut bytes = None;
        for _ in 0..batch {
            match next(py, &chunks)? {
                Some(item) => bytes = Some(bytes.unwrap_or(0) + read(py, &item)?),
                None => break,
            }
        }
        Ok(bytes)
    };
    RUNTIME.block_on(async {
        let mut bytes = 0;
        while let Some(more) = with_gil("stream_direct.wait", "stream_direct.hold", read_some)? {
            bytes += more;
        }
        Ok(bytes)
    })
}
