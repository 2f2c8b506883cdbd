"""Random sequences of all public operations, against a model in pure Python.

Hypothesis makes up sequences of calls: allocations are made, moved and removed, their
quota changes, reservations come, are approved, changed, denied and expire, blockers
take everything, transactions and savepoints are committed and rolled back, in rooms of
which some block others, on a weekend on which the clocks change. Each call goes to the
library and to the model. Afterwards

* the outcome is the same: the value, or the exact class of the error;
* the tables hold what the model holds, row by row, also after a refused call;
* the auditor finds nothing;
* what the library answers (free places, availability, partitions, searches) is what the
  model counts, cell by cell of five minutes.

==============  ======================================================================
``calendar``    minutes instead of datetimes; what the clocks of a season show
``world``       allocations, reservations, blockers and slots; which places are free
``allocating``  what becomes of it: allocate, move, change the quota, remove
``reserving``   reserve, book, approve, change, deny, remove; the carts of sessions
``blocking``    add, change and remove blockers
``answers``     what is left of it, and what a search finds
``house``       the library: its schedulers, and what its ids are called in the model
``comparing``   are the tables and the answers of both the same?
``drawing``     which values are drawn
``machine``     the rules
==============  ======================================================================

The model is written from the specification and does without the library: it is slow,
simple and plainly right. What it raises is called ``Refused`` and names the class.

In the suite the sequences are always the same. ``LIBRES_MODEL_EXAMPLES=500`` runs so
many random ones instead, for each layout of the rooms.
"""
