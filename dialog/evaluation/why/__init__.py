"""Why a model said what it said: what it looked at, what else was likely, and which turns count."""
