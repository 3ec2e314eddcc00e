// SPDX-License-Identifier: MIT
//! The bridge of an inference engine between Rust and Python, each way of crossing it in a method
//! of its own, so that a report can set them side by side. `send_*` makes Python objects of Rust
//! data, `receive_*` Rust data of Python objects, `stream_*` takes chunks from a Python generator.

mod clock;
mod keys;
mod message;
mod stream;
#[cfg(not(feature = "abi3"))]
mod view;

use message::{BytesFile, Chunk, Known, NumberedFile, Request};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::sync::Arc;

#[pyclass(frozen)]
struct Engine {
    request: Request,
    numbered: NumberedFile,
    file: BytesFile,
    #[cfg_attr(feature = "abi3", allow(dead_code))]
    body: Arc<Vec<u8>>,
    #[cfg_attr(feature = "abi3", allow(dead_code))]
    text: Arc<Vec<u8>>,
    chunks: Vec<Chunk>,
    known: Known,
    leak: bool,
}

#[pymethods]
impl Engine {
    /// `bytes` is the size of a message; with `leak` send_pythonize forgets a handle of each.
    #[new]
    #[pyo3(signature = (bytes = 1 << 20, leak = false))]
    fn new(bytes: usize, leak: bool) -> Engine {
        Engine {
            request: Request::sample(bytes),
            numbered: NumberedFile { name: "photo.raw".into(), body: message::body(bytes) },
            file: BytesFile { name: "photo.raw".into(), body: message::body(bytes) },
            body: Arc::new(message::body(bytes)),
            text: Arc::new(message::text(bytes).into_bytes()),
            chunks: (0..100).map(Chunk::sample).collect(),
            known: Known::sample(),
            leak,
        }
    }

    /// A request with a long string, by pythonize: the string is copied.
    fn send_pythonize<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let request = clock::timed("send_pythonize", || pythonize::pythonize(py, &self.request))?;
        if self.leak {
            std::mem::forget(request.clone().unbind());
        }
        Ok(request)
    }

    /// A file whose body is a Vec<u8> for serde: a list of integers.
    fn send_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(clock::timed("send_list", || pythonize::pythonize(py, &self.numbered))?)
    }

    /// The same file with serde_bytes: a bytes object with a copy of the body.
    fn send_serde_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(clock::timed("send_serde_bytes", || pythonize::pythonize(py, &self.file))?)
    }

    /// The body alone, copied into a bytes object.
    fn send_pybytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        clock::timed("send_pybytes", || PyBytes::new(py, &self.body))
    }

    /// A body that is made where Python will read it.
    fn send_in_place<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        clock::timed("send_in_place", || {
            PyBytes::new_with(py, self.body.len(), |place| {
                place.iter_mut().enumerate().for_each(|(position, byte)| *byte = message::body_byte(position));
                Ok(())
            })
        })
    }

    /// An object through which Python reads the body where it lies.
    #[cfg(not(feature = "abi3"))]
    fn send_view<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, view::Body>> {
        clock::timed("send_view", || Bound::new(py, view::Body::new(self.body.clone())))
    }

    /// The request with an object through which Python reads the text where it lies.
    #[cfg(not(feature = "abi3"))]
    fn send_text_view<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        clock::timed("send_text_view", || {
            let request = PyDict::new(py);
            request.set_item("model", "small-3b")?;
            request.set_item("content", Bound::new(py, view::Body::new(self.text.clone()))?)?;
            Ok(request)
        })
    }

    /// The request as JSON; Python parses what it needs.
    fn send_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let json = serde_json::to_vec(&self.request).map_err(invalid)?;
        Ok(clock::timed("send_json", || PyBytes::new(py, &json)))
    }

    /// The request by way of JSON and `loads`, that of orjson or another's.
    fn send_by_json<'py>(&self, py: Python<'py>, loads: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let json = serde_json::to_vec(&self.request).map_err(invalid)?;
        clock::timed("send_by_json", || loads.call1((PyBytes::new(py, &json),)))
    }

    /// A hundred chunks by pythonize: a string is made for every name of a field.
    fn send_chunks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(clock::timed("send_chunks", || pythonize::pythonize(py, &self.chunks))?)
    }

    /// The same chunks with names that are made once.
    fn send_interned<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        clock::timed("send_interned", || {
            let dicts: Vec<_> = self.chunks.iter().map(|c| keys::chunk(py, c)).collect::<PyResult<_>>()?;
            PyList::new(py, dicts)
        })
    }

    /// pythonize of one record, `times` over; its calls are known by number, see message.rs.
    fn send_known(&self, py: Python<'_>, times: usize) -> PyResult<()> {
        let convert = |_| pythonize::pythonize(py, &self.known).map(drop).map_err(PyErr::from);
        clock::timed("send_known", || (0..times).try_for_each(convert))
    }

    /// A file whose body serde reads number by number, from a list or from bytes.
    fn receive_elements(&self, file: &Bound<'_, PyAny>) -> PyResult<usize> {
        let file: NumberedFile = clock::timed("receive_elements", || pythonize::depythonize(file))?;
        Ok(file.name.len() + file.body.len())
    }

    /// The same with serde_bytes: one copy.
    fn receive_serde_bytes(&self, file: &Bound<'_, PyAny>) -> PyResult<usize> {
        let file: BytesFile = clock::timed("receive_serde_bytes", || pythonize::depythonize(file))?;
        Ok(file.name.len() + file.body.len())
    }

    /// The body where Python has it, without a copy.
    fn receive_slice(&self, body: &[u8]) -> usize {
        clock::timed("receive_slice", || body.len())
    }

    /// One chunk by depythonize.
    fn receive_chunk(&self, chunk: &Bound<'_, PyAny>) -> PyResult<usize> {
        let chunk: Chunk = clock::timed("receive_chunk", || pythonize::depythonize(chunk))?;
        Ok(chunk.text_bytes())
    }

    /// A list of chunks by depythonize.
    fn receive_chunks(&self, chunks: &Bound<'_, PyAny>) -> PyResult<usize> {
        let chunks: Vec<Chunk> = clock::timed("receive_chunks", || pythonize::depythonize(chunks))?;
        Ok(chunks.iter().map(Chunk::text_bytes).sum())
    }

    /// One chunk as JSON.
    fn receive_json(&self, json: &[u8]) -> PyResult<usize> {
        let chunk: Chunk = clock::timed("receive_json", || serde_json::from_slice(json)).map_err(invalid)?;
        Ok(chunk.text_bytes())
    }

    /// Chunks of a generator, each read inside spawn_blocking.
    fn stream_blocking(&self, py: Python<'_>, chunks: &Bound<'_, PyAny>) -> PyResult<usize> {
        let chunks = chunks.try_iter()?.unbind();
        stream::without_gil(py, "stream_blocking.fetch.wait", || stream::blocking(chunks))
    }

    /// Chunks of a generator, each read where it is fetched.
    fn stream_direct(&self, py: Python<'_>, chunks: &Bound<'_, PyAny>) -> PyResult<usize> {
        let chunks = chunks.try_iter()?.unbind();
        stream::without_gil(py, "stream_direct.wait", || stream::direct(chunks))
    }

    /// Chunks of a generator, `batch` at a time.
    fn stream_batched(&self, py: Python<'_>, chunks: &Bound<'_, PyAny>, batch: usize) -> PyResult<usize> {
        let chunks = chunks.try_iter()?.unbind();
        stream::without_gil(py, "stream_batched.wait", || stream::batched(chunks, batch))
    }
}

fn invalid(error: serde_json::Error) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}

/// Switches the clock inside on or off.
#[pyfunction]
fn clock_switch(on: bool) {
    clock::switch(on);
}

/// What the clock has measured: {name: (number, seconds)}.
#[pyfunction]
fn clock_read(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let times = PyDict::new(py);
    for (name, number, seconds) in clock::read() {
        times.set_item(name, (number, seconds))?;
    }
    Ok(times)
}

#[pymodule]
fn pyo3_engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Engine>()?;
    module.add_function(wrap_pyfunction!(clock_switch, module)?)?;
    module.add_function(wrap_pyfunction!(clock_read, module)?)
}
