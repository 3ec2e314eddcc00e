// SPDX-License-Identifier: MIT
//! A body that Python reads where it lies: an object with the buffer protocol instead of a bytes
//! object with a copy. `memoryview(body)`, `file.write(body)` and `orjson.loads(memoryview(body))`
//! work with it. (The stable ABI has the protocol from 3.11 only, the feature abi3 is 3.9's.)

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use std::ffi::c_int;
use std::sync::Arc;

#[pyclass(frozen)]
pub struct Body {
    bytes: Arc<Vec<u8>>,
}

impl Body {
    pub fn new(bytes: Arc<Vec<u8>>) -> Body {
        Body { bytes }
    }
}

#[pymethods]
impl Body {
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        let start = bytes.as_ptr() as *mut _;
        // The view keeps the object alive, and the object never changes its bytes.
        match ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, bytes.len() as isize, 1, flags) {
            0 => Ok(()),
            _ => Err(PyErr::take(slf.py()).unwrap_or_else(|| PyBufferError::new_err("a body is read-only"))),
        }
    }

    unsafe fn __releasebuffer__(&self, _view: *mut ffi::Py_buffer) {}
}
