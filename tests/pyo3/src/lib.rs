// SPDX-License-Identifier: MIT
//! What a bridge between Rust and Python does, each in a function of its own so that a test can say
//! which stacks it must find: conversions both ways (`to_python`, `from_python`), bytes out
//! (`payload`), a Vec that is never freed (`leak`), threads that never see Python (`on_threads`, `on_tokio`) and
//! Rust that calls Python that calls Rust (`through`).
//!
//! `Record` has 6 fields, 4 tags and a map of 3 entries: pythonize makes exactly 2 dicts with 9 items, 2
//! lists, 14 strings and 1 bytes object of it.

mod record;
mod threads;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use record::Record;

/// Builds a record and hands it to Python as dicts and lists.
#[pyfunction]
fn to_python(py: Python<'_>, id: u64) -> PyResult<Bound<'_, PyAny>> {
    Ok(pythonize::pythonize(py, &Record::sample(id))?)
}

/// Reads a record from dicts and lists.
#[pyfunction]
fn from_python(value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let record: Record = pythonize::depythonize(value)?;
    Ok(record.weight())
}

/// A bytes object with a copy of a buffer made here.
#[pyfunction]
fn payload(py: Python<'_>, bytes: usize) -> Bound<'_, PyBytes> {
    PyBytes::new(py, &filled(bytes))
}

/// Forgets a Vec: the leak.
#[pyfunction]
fn leak(bytes: usize) -> usize {
    Vec::leak(filled(bytes)).len()
}

/// Calls back with a record: Python -> Rust -> Python.
#[pyfunction]
fn through<'py>(py: Python<'py>, callable: &Bound<'py, PyAny>, id: u64) -> PyResult<Bound<'py, PyAny>> {
    callable.call1((to_python(py, id)?,))
}

#[inline(always)]
fn filled(bytes: usize) -> Vec<u8> {
    let mut block = Vec::with_capacity(bytes);
    block.resize(bytes, 1);
    block
}

#[pymodule]
fn bridge(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(to_python, module)?)?;
    module.add_function(wrap_pyfunction!(from_python, module)?)?;
    module.add_function(wrap_pyfunction!(payload, module)?)?;
    module.add_function(wrap_pyfunction!(leak, module)?)?;
    module.add_function(wrap_pyfunction!(through, module)?)?;
    module.add_function(wrap_pyfunction!(threads::on_threads, module)?)?;
    module.add_function(wrap_pyfunction!(threads::on_tokio, module)?)
}
