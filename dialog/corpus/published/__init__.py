"""Readers of published corpora: the files of one, as published, in; its conversations out, each lost turn counted.

A file holds one layout and its `read_…`. Unlike a log format (`dialog.corpus.formats`) a reader sees all files of a
corpus at once: some keep their lines in one file and their conversations in another, or their splits in a third.
"""
