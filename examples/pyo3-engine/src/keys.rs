// SPDX-License-Identifier: MIT
//! A chunk as Python's dicts, written out by hand: pythonize makes the names of the fields anew for
//! every struct, here each is one Python string that is made once.

use crate::message::{Choice, Chunk};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

pub fn chunk<'py>(py: Python<'py>, chunk: &Chunk) -> PyResult<Bound<'py, PyDict>> {
    let choices: Vec<_> = chunk.choices.iter().map(|of| choice(py, of)).collect::<PyResult<_>>()?;
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "id"), &chunk.id)?;
    dict.set_item(intern!(py, "created"), chunk.created)?;
    dict.set_item(intern!(py, "model"), &chunk.model)?;
    dict.set_item(intern!(py, "choices"), PyList::new(py, choices)?)?;
    Ok(dict)
}

fn choice<'py>(py: Python<'py>, choice: &Choice) -> PyResult<Bound<'py, PyDict>> {
    let delta = PyDict::new(py);
    delta.set_item(intern!(py, "role"), &choice.delta.role)?;
    delta.set_item(intern!(py, "content"), &choice.delta.content)?;
    let dict = PyDict::new(py);
    dict.set_item(intern!(py, "index"), choice.index)?;
    dict.set_item(intern!(py, "finish_reason"), &choice.finish_reason)?;
    dict.set_item(intern!(py, "delta"), delta)?;
    Ok(dict)
}
