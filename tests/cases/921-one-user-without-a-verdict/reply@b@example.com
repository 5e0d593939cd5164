silent
