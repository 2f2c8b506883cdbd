"""Measures timetables, beside two designs that are common elsewhere."""
