/* SPDX-License-Identifier: MIT */
/*
 * The oracle with pybind11: a function that makes n dictionaries of n items by the C API, and a class
 * with a constructor and a method.
 */
#include <pybind11/pybind11.h>

namespace py = pybind11;

static py::object make(unsigned long n)
{
    py::object last = py::none();

    for (unsigned long i = 0; i < n; i++) {
        py::object dict = py::reinterpret_steal<py::object>(PyDict_New());
        py::object key = py::reinterpret_steal<py::object>(PyBytes_FromStringAndSize("key", 3));
        py::object value = py::reinterpret_steal<py::object>(PyLong_FromUnsignedLong(5000));

        PyDict_SetItem(dict.ptr(), key.ptr(), value.ptr());
        last = dict;
    }
    return last;
}

struct Shape {
    double side;
    explicit Shape(double length) : side(length) {}
    double area() const { return side * side; }
};

PYBIND11_MODULE(pbmod, module)
{
    module.def("make", &make, py::arg("n"), "Makes it.");
    module.def("fail", [](int n) -> int { throw py::value_error("no " + std::to_string(n)); });
    py::class_<Shape>(module, "Shape").def(py::init<double>(), py::arg("side")).def("area", &Shape::area);
}
