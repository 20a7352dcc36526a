"""Imported first by the benchmarks of replies, so that threads wait as they do in `hred reply`, `chat` and `serve`."""

from dialog.decoding.threads import let_waiting_threads_sleep

let_waiting_threads_sleep()
