"""The tests, in storeys like the library itself."""
