init-src := main.c
