"""What mypy (strict) knows of the public API. Nothing in these modules is ever run.

Each function is one subject; ``assert_type`` says what an application gets, and an
ignored error says what it is warned of: an ignore that is not needed is an error, too.
"""
