"""Many runs to one answer: does self-pretraining help on these data?

`settings` say what is compared; `plan` turns them into runs; `scheduler` has an engine (local, Ray or SLURM) make those that are
missing; `job` makes one run by way of a `worker`; `records` keep what a report needs.
"""
