"""Finds the settings with which a model runs fastest on a machine, for three uses.

The search is coordinate descent over what matters most first: repacking, threads, micro-batch, flash attention, type of
the context's memory. Every step is a duel: the settings that are best so far against the same with one value changed,
measured in turn (A B A B …), so that a slow moment of the machine hits both. One duel tells about all uses, since
what a use costs follows from four measured times (:mod:`phicli.bench.tuning.costs`). A challenger has to win by more
than the noise (:mod:`phicli.bench.tuning.verdict`), else what there was stays; and in the end what won is measured once
more against the default itself, in new rounds. On a machine that is a formula with 5 % of noise 1 or 2 searches of 100
take a value that makes no difference, and 99 find one that is a quarter faster.
"""
