"""One verb per file: load what is touched, judge it, write the verdict, tell."""
