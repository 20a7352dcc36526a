"""Which model people prefer, from votes on pairs of replies.

votes       what was voted, counted by pair and outcome
davidson    Bradley-Terry with ties: strengths by maximum likelihood
table       the ranking: strengths, intervals, places, what speaks against believing it yet
pairing     which two models meet next
"""
