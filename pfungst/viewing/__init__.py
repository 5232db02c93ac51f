"""Viewing: a run in a browser, every row reachable; the only room that imports starlette, uvicorn or duckdb."""
