// SPDX-License-Identifier: MIT
//! Responses: chunks arrive one by one, a Python generator makes objects of them, Rust reads these,
//! three ways. In a service other Python threads have the GIL meanwhile, so that whoever takes it
//! waits his turn, each time.

use crate::clock;
use crate::message::Chunk;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Until the next chunk has come over the network.
const ARRIVAL: Duration = Duration::from_millis(1);

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

/// Gives the GIL away for `work`; how long it takes to have it again goes to the clock.
pub fn without_gil<T: Send>(py: Python<'_>, wait: &'static str, work: impl FnOnce() -> T + Send) -> T {
    let (result, ended) = py.detach(|| (work(), clock::start()));
    clock::stop(wait, ended);
    result
}

/// Each chunk is fetched here and read on a thread of tokio's pool: the GIL is taken twice.
pub fn blocking(chunks: Py<PyIterator>) -> PyResult<usize> {
    RUNTIME.block_on(async {
        let mut bytes = 0;
        loop {
            thread::sleep(ARRIVAL);
            let item = with_gil("stream_blocking.fetch.wait", "stream_blocking.fetch.hold", |py| next(py, &chunks))?;
            let Some(item) = item else { break };
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
    take(chunks, 1, "stream_direct.wait", "stream_direct.hold")
}

/// The GIL is taken once for `batch` chunks.
pub fn batched(chunks: Py<PyIterator>, batch: usize) -> PyResult<usize> {
    take(chunks, batch, "stream_batched.wait", "stream_batched.hold")
}

fn take(chunks: Py<PyIterator>, batch: usize, wait: &'static str, hold: &'static str) -> PyResult<usize> {
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
        loop {
            thread::sleep(ARRIVAL * batch as u32);
            match with_gil(wait, hold, read_some)? {
                Some(more) => bytes += more,
                None => break,
            }
        }
        Ok(bytes)
    })
}
