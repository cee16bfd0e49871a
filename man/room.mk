dist_man_MANS += man/pgha.yml.5
