"""The audit: every act in one chain, written in the transaction of its intent.

Who acts is not an argument of fifty methods: whoever begins to handle an event says so once (`acting`), in a context
variable of that task. The Store's writer reads it when a job is handed in, and what the job notes (`Transaction.note`)
becomes an entry of the chain in the same commit: an act without its entry, or an entry without its act, cannot be. A
job that notes nothing is no act. What is noted are ids, roles and states, never what people said, and all of it is
blacked out before it is hashed.

Entries are only ever added: triggers of the database refuse the rest, for whoever comes through the program. Who comes
from below can drop the triggers, so each entry holds the hash of the one before, and signed checkpoints of the last
hash go to a file or to the owners: what was changed breaks the chain, what was cut off is missed by a checkpoint.
"""
