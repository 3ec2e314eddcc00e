/* SPDX-License-Identifier: MIT */
/*
 * The one table of what is counted at the border between Python and native code: functions of
 * Python's C API that extensions call. The shim makes its hooks from it, the analyzer its names;
 * a row's place is its index in struct kp_counter_block. A change moves KP_SPOOL_VERSION.
 *
 * X(NAME, class, direction, objects, copies, unit, read)
 *   objects  Python objects that a call makes
 *   copies   1: a call copies its bytes (less those counted as in_place)
 *   unit     of the second figure: see enum kp_unit
 *   read     where the shim takes the second figure from (convert_hooks.c, convert_variadic.c):
 *     NOTHING; FIRST, SECOND, THIRD: that argument; WRITE: the third, -1 being the length of the
 *     second; FILL: the second, unless the first is NULL the bytes are copied from there; TEXT:
 *     length of the C string; KIND: first * third; PLAIN: the first, by the width of the second;
 *     RESIZE: by how much the object grows; VIEW: that of the Py_buffer; BUFFER: the same after
 *     the call; OBJECT, ARRAY: size of the bytes, bytearray given; RESULT: of the bytes returned;
 *     UTF8, UTF8_SIZE: length of the UTF-8 returned; ITER: none, but the row iter_bytes when it is
 *     bytes; ANSWER: the call returns a double; NUMBER: it takes one; ARGUMENTS, PACK: it takes
 *     any number of arguments, nothing is read, or the first
 */
#ifndef KP_CONVERSION_API_H
#define KP_CONVERSION_API_H

enum kp_api_class {
    KP_API_OWN,       /* no function: figures of our own */
    KP_API_BYTES,     /* strings, bytes, buffers */
    KP_API_STRUCTURE, /* containers and their items */
    KP_API_SCALAR,    /* numbers and truth */
    KP_API_BOUNDARY,  /* the GIL */
};
enum kp_direction { KP_TO_PYTHON = 0, KP_FROM_PYTHON = 1, KP_NO_DIRECTION = 2 };
enum kp_unit { KP_UNIT_NONE, KP_UNIT_BYTES, KP_UNIT_ITEMS, KP_UNIT_NS };

/* Figures of our own. What a function's row counts is not reduced by them. */
#define KP_CONVERSION_OWN(X)                                                                       \
    X(entry_calls, OWN, NO_DIRECTION, 0, 0, NONE, NOTHING)  /* activations of the entry */         \
    X(gil_wait, OWN, NO_DIRECTION, 0, 0, NS, NOTHING)       /* acquisitions; time until had */     \
    X(gil_hold, OWN, NO_DIRECTION, 0, 0, NS, NOTHING)       /* THREAD entries: times held */       \
    X(gil_released, OWN, NO_DIRECTION, 0, 0, NS, NOTHING)   /* inside, by PyEval_SaveThread */     \
    X(in_place, OWN, TO_PYTHON, 0, 0, BYTES, NOTHING)       /* calls given NULL: nothing copied */ \
    X(large_copies, OWN, TO_PYTHON, 0, 0, BYTES, NOTHING)   /* copies of more than 64 KiB */       \
    X(utf8_kept, OWN, FROM_PYTHON, 0, 0, BYTES, NOTHING)    /* UTF-8 made and kept by a str */     \
    X(iter_bytes, OWN, FROM_PYTHON, 0, 0, BYTES, NOTHING)   /* iterations over bytes, bytearray */

#define KP_CONVERSION_BYTES(X)                                                                     \
    X(PyBytes_FromStringAndSize, BYTES, TO_PYTHON, 1, 1, BYTES, FILL)                              \
    X(PyBytes_FromString, BYTES, TO_PYTHON, 1, 1, BYTES, TEXT)                                     \
    X(PyBytes_FromObject, BYTES, TO_PYTHON, 1, 1, BYTES, RESULT)                                   \
    X(_PyBytes_Resize, BYTES, TO_PYTHON, 0, 0, BYTES, RESIZE)                                      \
    X(PyByteArray_FromStringAndSize, BYTES, TO_PYTHON, 1, 1, BYTES, FILL)                          \
    X(PyUnicode_FromStringAndSize, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                          \
    X(PyUnicode_FromString, BYTES, TO_PYTHON, 1, 1, BYTES, TEXT)                                   \
    X(PyUnicode_DecodeUTF8, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                                 \
    X(PyUnicode_DecodeUTF8Stateful, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                         \
    X(PyUnicode_DecodeLatin1, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                               \
    X(PyUnicode_DecodeASCII, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                                \
    X(PyUnicode_Decode, BYTES, TO_PYTHON, 1, 1, BYTES, SECOND)                                     \
    X(PyUnicode_FromKindAndData, BYTES, TO_PYTHON, 1, 1, BYTES, KIND)                              \
    X(PyUnicode_New, BYTES, TO_PYTHON, 1, 0, BYTES, PLAIN)                                         \
    X(PyUnicode_InternFromString, BYTES, TO_PYTHON, 1, 1, BYTES, TEXT)                             \
    X(PyMemoryView_FromMemory, BYTES, TO_PYTHON, 1, 0, BYTES, SECOND)                              \
    X(PyMemoryView_FromObject, BYTES, TO_PYTHON, 1, 0, NONE, NOTHING)                              \
    X(PyMemoryView_FromBuffer, BYTES, TO_PYTHON, 1, 0, BYTES, VIEW)                                \
    X(PyUnicodeWriter_WriteUTF8, BYTES, TO_PYTHON, 0, 1, BYTES, WRITE)                             \
    X(PyUnicodeWriter_WriteASCII, BYTES, TO_PYTHON, 0, 1, BYTES, WRITE)                            \
    X(PyUnicodeWriter_Finish, BYTES, TO_PYTHON, 1, 0, NONE, NOTHING)                               \
    X(PyBytesWriter_WriteBytes, BYTES, TO_PYTHON, 0, 1, NONE, NOTHING)                             \
    X(PyBytesWriter_Finish, BYTES, TO_PYTHON, 1, 0, BYTES, RESULT)                                 \
    X(PyBytesWriter_FinishWithSize, BYTES, TO_PYTHON, 1, 0, BYTES, RESULT)                         \
    X(PyUnicode_AsUTF8AndSize, BYTES, FROM_PYTHON, 0, 0, BYTES, UTF8_SIZE)                         \
    X(PyUnicode_AsUTF8, BYTES, FROM_PYTHON, 0, 0, BYTES, UTF8)                                     \
    X(PyUnicode_AsUTF8String, BYTES, FROM_PYTHON, 1, 1, BYTES, RESULT)                             \
    X(PyUnicode_AsEncodedString, BYTES, FROM_PYTHON, 1, 1, BYTES, RESULT)                          \
    X(PyBytes_AsString, BYTES, FROM_PYTHON, 0, 0, BYTES, OBJECT)                                   \
    X(PyBytes_Size, BYTES, FROM_PYTHON, 0, 0, NONE, NOTHING)                                       \
    X(PyBytes_AsStringAndSize, BYTES, FROM_PYTHON, 0, 0, BYTES, OBJECT)                            \
    X(PyByteArray_AsString, BYTES, FROM_PYTHON, 0, 0, BYTES, ARRAY)                                \
    X(PyByteArray_Size, BYTES, FROM_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyObject_GetBuffer, BYTES, FROM_PYTHON, 0, 0, BYTES, BUFFER)                                 \
    X(PyBuffer_ToContiguous, BYTES, FROM_PYTHON, 0, 1, BYTES, THIRD)

#define KP_CONVERSION_STRUCTURE(X)                                                                 \
    X(PyDict_New, STRUCTURE, TO_PYTHON, 1, 0, NONE, NOTHING)                                       \
    X(_PyDict_NewPresized, STRUCTURE, TO_PYTHON, 1, 0, ITEMS, FIRST)                               \
    X(PyDict_SetItem, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyDict_SetItemString, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                             \
    X(_PyDict_SetItem_KnownHash, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                        \
    X(PyObject_SetItem, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                 \
    X(PyList_New, STRUCTURE, TO_PYTHON, 1, 0, ITEMS, FIRST)                                        \
    X(PyList_Append, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                    \
    X(PyList_SetItem, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyTuple_New, STRUCTURE, TO_PYTHON, 1, 0, ITEMS, FIRST)                                       \
    X(PyTuple_SetItem, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                  \
    X(PySet_New, STRUCTURE, TO_PYTHON, 1, 0, NONE, NOTHING)                                        \
    X(PyFrozenSet_New, STRUCTURE, TO_PYTHON, 1, 0, NONE, NOTHING)                                  \
    X(PySet_Add, STRUCTURE, TO_PYTHON, 0, 0, NONE, NOTHING)                                        \
    X(PyDict_Next, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                                    \
    X(PyDict_GetItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                                 \
    X(PyDict_GetItemWithError, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                        \
    X(PyDict_GetItemString, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                           \
    X(PyDict_GetItemRef, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                              \
    X(PyDict_GetItemStringRef, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                        \
    X(PyDict_Keys, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                                    \
    X(PyDict_Values, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                                  \
    X(PyDict_Items, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                                   \
    X(PyMapping_Keys, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                                 \
    X(PyMapping_Values, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                               \
    X(PyMapping_Items, STRUCTURE, FROM_PYTHON, 1, 0, NONE, NOTHING)                                \
    X(PyObject_GetItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                               \
    X(PySequence_GetItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                             \
    X(PyList_GetItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                                 \
    X(PyList_GetItemRef, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                              \
    X(PyTuple_GetItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                                \
    X(PyObject_GetIter, STRUCTURE, FROM_PYTHON, 1, 0, NONE, ITER)                                  \
    X(PyIter_Next, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)                                    \
    X(PyIter_NextItem, STRUCTURE, FROM_PYTHON, 0, 0, NONE, NOTHING)

#define KP_CONVERSION_SCALAR(X)                                                                    \
    X(PyLong_FromLong, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                     \
    X(PyLong_FromUnsignedLong, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                             \
    X(PyLong_FromLongLong, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                 \
    X(PyLong_FromUnsignedLongLong, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                         \
    X(PyLong_FromSsize_t, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                  \
    X(PyLong_FromSize_t, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                   \
    X(PyLong_FromInt32, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                    \
    X(PyLong_FromInt64, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                    \
    X(PyLong_FromUInt32, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                   \
    X(PyLong_FromUInt64, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                   \
    X(PyLong_FromDouble, SCALAR, TO_PYTHON, 1, 0, NONE, NUMBER)                                    \
    X(PyLong_FromString, SCALAR, TO_PYTHON, 1, 0, NONE, NOTHING)                                   \
    X(_PyLong_FromByteArray, SCALAR, TO_PYTHON, 1, 0, BYTES, SECOND)                               \
    X(PyLong_FromNativeBytes, SCALAR, TO_PYTHON, 1, 0, BYTES, SECOND)                              \
    X(PyLong_FromUnsignedNativeBytes, SCALAR, TO_PYTHON, 1, 0, BYTES, SECOND)                      \
    X(PyBool_FromLong, SCALAR, TO_PYTHON, 0, 0, NONE, NOTHING)                                     \
    X(PyFloat_FromDouble, SCALAR, TO_PYTHON, 1, 0, NONE, NUMBER)                                   \
    X(PyLong_AsLong, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                     \
    X(PyLong_AsInt, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                      \
    X(PyLong_AsUnsignedLong, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                             \
    X(PyLong_AsUnsignedLongMask, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                         \
    X(PyLong_AsLongLong, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                 \
    X(PyLong_AsUnsignedLongLong, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                         \
    X(PyLong_AsUnsignedLongLongMask, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                     \
    X(PyLong_AsLongAndOverflow, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                          \
    X(PyLong_AsLongLongAndOverflow, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                      \
    X(PyLong_AsSsize_t, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                  \
    X(PyLong_AsSize_t, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyLong_AsInt32, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                    \
    X(PyLong_AsInt64, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                    \
    X(PyLong_AsUInt32, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyLong_AsUInt64, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)                                   \
    X(PyLong_AsDouble, SCALAR, FROM_PYTHON, 0, 0, NONE, ANSWER)                                    \
    X(_PyLong_AsByteArray, SCALAR, FROM_PYTHON, 0, 0, BYTES, THIRD)                                \
    X(PyLong_AsNativeBytes, SCALAR, FROM_PYTHON, 0, 0, BYTES, THIRD)                               \
    X(PyFloat_AsDouble, SCALAR, FROM_PYTHON, 0, 0, NONE, ANSWER)                                   \
    X(PyObject_IsTrue, SCALAR, FROM_PYTHON, 0, 0, NONE, NOTHING)

/* Those that take any number of arguments. How many objects they make or read is not known. */
#define KP_CONVERSION_VARIADIC(X)                                                                  \
    X(PyTuple_Pack, STRUCTURE, TO_PYTHON, 1, 0, ITEMS, PACK)                                       \
    X(Py_BuildValue, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                                  \
    X(_Py_BuildValue_SizeT, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                           \
    X(PyUnicode_FromFormat, BYTES, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                               \
    X(PyBytes_FromFormat, BYTES, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                                 \
    X(PyObject_CallFunction, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                          \
    X(_PyObject_CallFunction_SizeT, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                   \
    X(PyObject_CallMethod, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                            \
    X(_PyObject_CallMethod_SizeT, STRUCTURE, TO_PYTHON, 1, 0, NONE, ARGUMENTS)                     \
    X(PyArg_Parse, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)                                  \
    X(_PyArg_Parse_SizeT, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)                           \
    X(PyArg_ParseTuple, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)                             \
    X(_PyArg_ParseTuple_SizeT, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)                      \
    X(PyArg_ParseTupleAndKeywords, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)                  \
    X(_PyArg_ParseTupleAndKeywords_SizeT, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)           \
    X(PyArg_UnpackTuple, STRUCTURE, FROM_PYTHON, 0, 0, NONE, ARGUMENTS)

/* Hooked by hand (gil.c); their rows count calls. */
#define KP_CONVERSION_BOUNDARY(X)                                                                  \
    X(PyGILState_Ensure, BOUNDARY, NO_DIRECTION, 0, 0, NONE, NOTHING)                              \
    X(PyGILState_Release, BOUNDARY, NO_DIRECTION, 0, 0, NONE, NOTHING)                             \
    X(PyEval_SaveThread, BOUNDARY, NO_DIRECTION, 0, 0, NONE, NOTHING)                              \
    X(PyEval_RestoreThread, BOUNDARY, NO_DIRECTION, 0, 0, NONE, NOTHING)

#define KP_CONVERSION_API(X)                                                                       \
    KP_CONVERSION_OWN(X)                                                                           \
    KP_CONVERSION_BYTES(X)                                                                         \
    KP_CONVERSION_STRUCTURE(X)                                                                     \
    KP_CONVERSION_SCALAR(X)                                                                        \
    KP_CONVERSION_VARIADIC(X)                                                                      \
    KP_CONVERSION_BOUNDARY(X)

enum kp_api_row {
#define ROW(name, class, direction, objects, copies, unit, read) KP_API_ROW_##name,
    KP_CONVERSION_API(ROW)
#undef ROW
    KP_API_ROWS
};

#endif
