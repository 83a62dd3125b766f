"""Running a job over files in tiles, which a later run can go on with."""
