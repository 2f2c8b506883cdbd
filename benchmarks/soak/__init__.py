"""A long run of mixed load, with processes killed at random, and a look at the result.

Clients note in a file of their own what they are about to do, and what came of it once
it is committed. Afterwards the database has to hold exactly what was acknowledged.
"""
