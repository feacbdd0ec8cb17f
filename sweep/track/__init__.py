"""Mirror a sweep to an experiment tracker: what each of its runs holds, and the process that sends them."""
