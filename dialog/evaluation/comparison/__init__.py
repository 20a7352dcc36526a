"""Models compared on the same work by one scorer: likelihood, replies, use of the context, anchors, intervals.

| file | what |
|---|---|
| `plan` | what is done, as settings, and the hash of it |
| `decoders` | ways to decode, read from text |
| `material` | the split as texts, and as tokens of each run |
| `training_side` | what of the training split is needed: leaks, known replies, pairs |
| `cache` | what was computed, by a hash of all that it depends on |
| `runs` | what is known of a run before it is scored |
| `scoring` | likelihood of a run, by conversation |
| `answering` | replies of a run by a decoder, block by block on disk |
| `anchor_rows` | replies of no model |
| `measuring` | metrics of replies, by conversation |
| `statistics` | all sums, in one file without text, from which everything is printed again |
| `tables` | which figures stand in which table |
| `results` | figures with intervals, differences with a verdict |
| `report`, `document`, `plots` | Markdown, HTML, pictures |
| `comparing` | all of it, in order |
"""
