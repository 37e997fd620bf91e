"""Functions that only compute, per engine; whatever is not listed is not called.

Data, not a look at the engine at hand: decisions must not depend on the SQLite
that a machine happens to have. SQLite's are those that `pragma_function_list`
flags as innocuous, with the JSON, FTS and R*Tree helpers that only read.
"""

from __future__ import annotations

from governor.policies.sql.functions_postgres import POSTGRES
from governor.policies.sql.vocabulary import PRAGMA_READS_OF, words

_SQLITE = """
    abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling changes char coalesce concat
    concat_ws cos cosh count cume_dist current_date current_time current_timestamp date datetime degrees
    dense_rank exp first_value floor format fts5_source_id generate_series glob group_concat hex highlight
    if ifnull iif instr json json_array json_array_length json_each json_error_position json_extract
    json_group_array json_group_object json_insert json_object json_patch json_pretty json_quote
    json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each
    jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove
    jsonb_replace jsonb_set jsonb_tree julianday lag last_insert_rowid last_value lead length like
    likelihood likely ln log log10 log2 lower ltrim match matchinfo max median min mod nth_value ntile
    nullif octet_length offsets percent_rank percentile percentile_cont percentile_disc pi pow power
    printf quote radians raise random randomblob rank replace round row_number rtreecheck rtreedepth
    rtreenode rtrim sign sin sinh snippet soundex sqlite_compileoption_get sqlite_compileoption_used
    sqlite_offset sqlite_source_id sqlite_version sqrt strftime string_agg substr substring subtype sum
    tan tanh time timediff total total_changes trim trunc typeof unhex unicode unistr unistr_quote
    unixepoch unlikely upper zeroblob
"""

_COMMON = """
    abs acos all any any_value approx_count_distinct array array_agg array_length ascii asin atan atan2
    avg bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length
    chr coalesce concat concat_ws corr cos cot count covar_pop covar_samp cume_dist current_date
    current_time current_timestamp date date_add date_diff date_part date_sub date_trunc day dayofmonth
    dayofweek dayofyear degrees dense_rank exp extract first_value floor format from_unixtime greatest
    grouping hex hour if ifnull initcap instr isnull json_array json_extract json_object json_value lag
    last_day last_value lcase lead least left length ln localtime localtimestamp log log10 log2 lower lpad
    ltrim max md5 microsecond min minute mod month now nth_value ntile nullif octet_length percent_rank
    percentile_cont percentile_disc pi position pow power quarter radians rand random rank regexp_instr
    regexp_like regexp_replace regexp_substr repeat replace reverse right round row row_number rpad rtrim
    second sha1 sign sin some soundex sqrt std stddev stddev_pop stddev_samp string_agg substr substring
    sum tan time timestamp timestampadd timestampdiff to_char to_date translate trim trunc ucase unhex
    upper uuid values var_pop var_samp variance week weekday year yearweek
"""

_MYSQL = """
    adddate addtime bin bin_to_uuid charset coercibility collation conv convert_tz crc32 curdate
    current_user curtime database date_format datediff dayname elt export_set field find_in_set
    format_bytes found_rows from_base64 from_days get_format group_concat inet6_aton inet6_ntoa inet_aton
    inet_ntoa insert interval is_ipv4 is_ipv6 is_uuid json_arrayagg json_contains json_contains_path
    json_depth json_keys json_length json_merge_patch json_merge_preserve json_objectagg json_overlaps
    json_pretty json_quote json_remove json_replace json_search json_set json_storage_size json_table
    json_type json_unquote json_valid last_insert_id locate make_set makedate maketime match mid monthname
    name_const oct ord period_add period_diff quote row_count schema sec_to_time sha sha2 space
    str_to_date strcmp subdate substring_index subtime sysdate time_format time_to_sec timediff to_base64
    to_days to_seconds truncate unix_timestamp user utc_date utc_time utc_timestamp uuid_to_bin version
    weekofyear weight_string
"""

_DUCKDB = """
    age apply approx_quantile arg_max arg_min array_aggregate array_append array_cat array_concat
    array_contains array_distinct array_extract array_filter array_has array_has_all array_has_any
    array_indexof array_position array_prepend array_slice array_sort array_to_string array_transform
    array_unique array_value base64 bool_and bool_or cardinality cbrt contains current_database
    current_schema datediff datepart datesub datetrunc dayname decade editdist3 element_at ends_with
    entropy enum_first enum_last enum_range epoch epoch_ms era even factorial favg filter first flatten
    from_base64 from_json fsum gcd gen_random_uuid generate_series generate_subscripts
    greatest_common_divisor group_concat hamming hash histogram isfinite isinf isnan isodow isoyear
    jaccard jaro_similarity jaro_winkler_similarity json json_array_length json_contains json_each
    json_extract_path json_extract_string json_group_array json_group_object json_keys json_merge_patch
    json_serialize_sql json_structure json_transform json_tree json_type json_valid kurtosis last lcm
    least_common_multiple len levenshtein list list_aggregate list_any_value list_append list_apply
    list_avg list_cat list_concat list_contains list_count list_distinct list_element list_extract
    list_filter list_first list_has_all list_has_any list_indexof list_last list_max list_min
    list_position list_reduce list_reverse list_reverse_sort list_slice list_sort list_sum list_transform
    list_unique list_value list_zip listagg log1p mad make_date make_time make_timestamp map map_entries
    map_extract map_from_entries map_keys map_values max_by median millennium min_by mode monthname
    nextafter not_like_escape ord parse_dirname parse_filename parse_path prefix printf product quantile
    quantile_cont quantile_disc range reduce regexp_extract regexp_extract_all regexp_full_match
    regexp_matches regexp_split_to_array regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
    regr_sxx regr_sxy regr_syy row_to_json sem sha256 skewness split split_part starts_with str_split
    strftime string_split string_split_regex string_to_array strip_accents strlen strpos strptime
    struct_extract struct_insert struct_pack suffix time_bucket to_base64 to_days to_hours to_json
    to_minutes to_months to_seconds to_timestamp to_years today transform try_strptime typeof unicode
    union_tag union_value unnest version weekofyear xor
"""

_TSQL = """
    app_name approx_percentile_cont atn2 charindex checksum checksum_agg choose col_length col_name
    compress count_big current_timezone databasepropertyex datalength date_bucket dateadd datediff
    datediff_big datefromparts datename datepart datetime2fromparts datetimefromparts datetrunc db_id
    db_name decompress difference eomonth error_line error_message error_number error_procedure
    error_severity error_state generate_series getdate getutcdate grouping_id hashbytes host_name iif
    isdate isjson isnumeric json_arrayagg json_modify json_objectagg json_path_exists json_query len nchar
    newid object_id object_name openjson original_login parsename patindex quotename replicate schema_id
    schema_name scope_identity session_user smalldatetimefromparts space square stdev stdevp str
    string_escape string_split stuff suser_name suser_sname switchoffset sysdatetime sysdatetimeoffset
    system_user sysutcdatetime timefromparts todatetimeoffset type_id type_name unicode user_id user_name
    var varp xact_state
"""

_BIGQUERY = """
    acosh approx_quantiles approx_top_count approx_top_sum array_concat array_concat_agg array_first
    array_includes array_last array_reverse array_slice array_to_string asinh atanh bool byte_length bytes
    cbrt code_points_to_bytes code_points_to_string contains_substr cosh countif current_datetime
    date_bucket date_from_unix_date datetime datetime_add datetime_bucket datetime_diff datetime_sub
    datetime_trunc div edit_distance ends_with farm_fingerprint float64 format_date format_datetime
    format_time format_timestamp from_base32 from_base64 from_hex generate_array generate_date_array
    generate_timestamp_array generate_uuid ieee_divide int64 is_inf is_nan json_array_length
    json_extract_array json_extract_scalar json_extract_string_array json_keys json_query json_query_array
    json_set json_strip_nulls json_type json_value_array justify_days justify_hours justify_interval
    lax_bool lax_float64 lax_int64 lax_string logical_and logical_or make_interval max_by min_by normalize
    normalize_and_casefold nullifzero offset ordinal parse_bignumeric parse_date parse_datetime parse_json
    parse_numeric parse_time parse_timestamp range range_bucket regexp_contains regexp_extract
    regexp_extract_all safe_add safe_cast safe_convert_bytes_to_string safe_divide safe_multiply
    safe_negate safe_offset safe_ordinal safe_subtract sha256 sha512 sinh split starts_with string strpos
    struct tanh time_add time_diff time_sub time_trunc timestamp_add timestamp_diff timestamp_micros
    timestamp_millis timestamp_seconds timestamp_sub timestamp_trunc to_base32 to_base64 to_code_points
    to_hex to_json to_json_string typeof unix_date unix_micros unix_millis unix_seconds unnest zeroifnull
"""

_SNOWFLAKE = """
    add_months approx_percentile approx_top_k array_append array_cat array_compact array_construct
    array_contains array_distinct array_except array_flatten array_insert array_intersection array_max
    array_min array_position array_prepend array_remove array_size array_slice array_sort array_to_string
    array_unique_agg arrays_overlap as_array as_boolean as_date as_double as_integer as_object as_varchar
    base64_decode_string base64_encode bitand bitor bitxor booland booland_agg boolor boolor_agg cbrt
    charindex check_json collate compress conditional_change_event contains convert_timezone cosh count_if
    current_account current_database current_role current_schema current_user current_warehouse
    date_from_parts dateadd datediff datefromparts dayname decode div0 div0null edit_distance endswith
    equal_null flatten generator get get_path getdate hash hash_agg haversine iff ilike insert is_array
    is_boolean is_date is_null_value is_object is_varchar jarowinkler_similarity kurtosis lateral len like
    listagg max_by md5_hex median min_by mode monthname months_between next_day nvl nvl2 object_agg
    object_construct object_delete object_insert object_keys object_pick parse_ip parse_json parse_url
    previous_day ratio_to_report regexp_count regexp_extract_all regr_slope rlike rtrimmed_length seq1
    seq2 seq4 seq8 sha2 sinh skew space split split_part split_to_table square startswith strip_null_value
    strtok strtok_split_to_table strtok_to_array sysdate table tanh time_from_parts time_slice timeadd
    timediff timestamp_from_parts to_array to_binary to_boolean to_decimal to_double to_json to_number
    to_numeric to_object to_time to_timestamp to_timestamp_ltz to_timestamp_ntz to_timestamp_tz to_varchar
    to_variant try_cast try_parse_json try_to_boolean try_to_date try_to_decimal try_to_double
    try_to_number try_to_timestamp typeof uniform uuid_string width_bucket xmlget yearofweek zeroifnull
"""

KNOWN: dict[str, frozenset[str]] = {
    "sqlite": words(_SQLITE) | {f"pragma_{name}" for name in PRAGMA_READS_OF},
    "postgres": words(POSTGRES),
    "mysql": words(_COMMON + _MYSQL),
    "duckdb": words(_COMMON + _DUCKDB),
    "tsql": words(_COMMON + _TSQL),
    "bigquery": words(_COMMON + _BIGQUERY),
    "snowflake": words(_COMMON + _SNOWFLAKE),
}
"""Functions that only compute, in lower case, by dialect."""

_HARMFUL_BY_CLASS = {
    "file": """
        load_file readfile writefile edit fsdir pg_read_file pg_read_binary_file pg_ls_dir pg_ls_logdir
        pg_ls_waldir pg_ls_tmpdir pg_stat_file lo_import lo_export read_csv read_csv_auto read_json
        read_json_auto read_ndjson read_ndjson_auto read_parquet parquet_scan read_text read_blob read_xlsx
        sniff_csv openrowset xp_dirtree xp_fileexist pg_file_write pg_logdir_ls scan_arrow_ipc
    """,
    "exec": """
        load_extension fts3_tokenizer xp_cmdshell sys_exec sys_eval query_to_xml query_to_xml_and_xmlschema
        query_to_xmlschema cursor_to_xml pg_terminate_backend pg_cancel_backend pg_reload_conf
        pg_rotate_logfile pg_promote sp_executesql sp_oacreate ts_stat
    """,
    "network": """
        dblink dblink_connect dblink_connect_u dblink_exec dblink_open dblink_send_query postgres_scan
        postgres_query mysql_scan mysql_query sqlite_scan external_query opendatasource openquery
        http_get http_post
    """,
    "session": "set_config setseed pg_notify",
    "sleep": "pg_sleep pg_sleep_for pg_sleep_until sleep benchmark",
    "update": "nextval setval lo_put lo_from_bytea lo_create lo_creat lowrite",
    "delete": "lo_unlink lo_truncate lo_truncate64",
    "lock": """
        pg_advisory_lock pg_advisory_lock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared
        pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_advisory_unlock
        pg_try_advisory_xact_lock_shared pg_advisory_unlock_all pg_advisory_unlock_shared get_lock
        release_lock release_all_locks
    """,
    "maintenance": "optimize pg_switch_wal pg_create_restore_point pg_stat_reset pg_backup_start",
}
HARMFUL: dict[str, str] = {name: kind for kind, names in _HARMFUL_BY_CLASS.items() for name in names.split()}
"""The effect class of functions known to do more than compute; the rest is just unknown."""
