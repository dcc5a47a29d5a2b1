# What make bench looks at on the whole node: the node's composition as it is, and behind it the
# programs of this directory.
meter-programs := meter victim
meter-test-meter := meter.c
meter-test-victim := victim.c
