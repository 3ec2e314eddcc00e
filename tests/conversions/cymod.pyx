# SPDX-License-Identifier: MIT
# cython: language_level=3
# The oracle in Cython: a class with a cpdef method that a subclass may override, and a function.
# Cython compares function pointers to see that, so that its functions are not wrapped: what they
# convert is counted for the module.
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_New, PyDict_SetItem
from cpython.long cimport PyLong_FromUnsignedLong


def make(unsigned long n):
    cdef unsigned long i
    cdef dict d = None
    for i in range(n):
        d = <dict>PyDict_New()
        key = PyBytes_FromStringAndSize(b"key", 3)
        value = PyLong_FromUnsignedLong(5000)
        PyDict_SetItem(d, key, value)
    return d


cdef class Base:
    cpdef int area(self):
        return 1

    def twice(self):
        return 2 * self.area()
