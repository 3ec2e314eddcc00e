/* SPDX-License-Identifier: MIT */
/*
 * The python command, linked to libpython: Debian's own is linked statically, so this is how its
 * shared library gets tested. Built by fetch_pythons.sh (for the fetched ones) and by
 * python_shared_of() in lib_python.sh (for the system's).
 */
int Py_BytesMain(int argc, char **argv);

int main(int argc, char **argv)
{
    return Py_BytesMain(argc, argv);
}
