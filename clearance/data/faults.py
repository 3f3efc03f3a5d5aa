"""The faults of this room: sources that cannot be read, and tables that cannot be used."""

from __future__ import annotations

from clearance.errors import (
    BusyError,
    ConfigurationError,
    DataError,
    ErrorKind,
    IntegrityError,
    SourceError,
    UnavailableError,
)

_REBUILD = "run `clearance repair`, then run again"
_SNAPSHOT = "run `make repro` or `python -m tasks.snapshot`, which fetches the table and keeps a copy"

# --- Reading with DuckDB

INGEST_RUNNING = ErrorKind(
    "data.ingest_running",
    BusyError,
    "another ingest or snapshot is running in this checkout",
    "wait until it has finished",
)
SELECT_NOT_SINGLE = ErrorKind(
    "data.select_not_single",
    ConfigurationError,
    "`source.select` is not a single SELECT",
    "write one SELECT over the table `source`",
)
SELECT_NOT_PLAIN = ErrorKind(
    "data.select_not_plain",
    ConfigurationError,
    "`source.select` is not a plain SELECT: {reason}",
    "write one SELECT over the table `source`",
)
SELECT_NOT_REPEATABLE = ErrorKind(
    "data.select_not_repeatable",
    ConfigurationError,
    "`source.select` may return different rows on every run, because of {functions}",
    "a stage reads no clock and draws no random numbers: use columns of the table, or hash() of a key",
)
DUPLICATE_COLUMNS = ErrorKind(
    "data.duplicate_columns",
    DataError,
    "{where} has two columns named `{first}` and `{second}`",
    "give every column its own name (upper and lower case count as the same)",
)
COLUMN_NOT_PLAIN = ErrorKind(
    "data.column_not_plain",
    DataError,
    "column `{column}` holds {kind} values, not one plain value per row",
    "select the part you need in `source.select` (column.field, column[1]), or leave the column out",
)
SELECT_NOT_USABLE = ErrorKind(
    "data.select_not_usable",
    ConfigurationError,
    "`source.select` cannot be used: {reason}",
    "correct it in params.yaml; it is DuckDB SQL over the one table `source`. A column is text there "
    "unless nothing is lost by reading it as a number: `source.types: {{column: number}}` decides that first",
)
NO_ROWS = ErrorKind(
    "data.no_rows",
    DataError,
    "the table has no rows",
    "a table needs a header and rows; check `source` in params.yaml",
)
NO_ROWS_SELECTED = ErrorKind(
    "data.no_rows_selected",
    DataError,
    "`source.select` returns no rows",
    "check the conditions in `source.select`",
)
NO_SPACE = ErrorKind(
    "data.no_space",
    SourceError,
    "there is not enough space for the table: {reason}",
    "free some disk space, or sort, join and group less in `source.select`",
)
TABLE_UNREADABLE = ErrorKind(
    "data.table_unreadable",
    SourceError,
    "the table cannot be read: {reason}",
    "correct such values in the source, or read the column otherwise with `source.types` or `source.select`",
)

# --- Files

SOURCE_MISSING = ErrorKind(
    "data.source_missing",
    SourceError,
    "{path} does not exist",
    "put the table there, or correct `source.path` in params.yaml",
)
GLOB_LEAVES_FOLDER = ErrorKind(
    "data.glob_leaves_folder",
    ConfigurationError,
    "`source.glob` {glob} leaves the folder {folder}, and DVC tracks only that folder",
    "write a pattern below `source.path`, such as **/*.csv",
)
NO_MATCHING_FILE = ErrorKind(
    "data.no_matching_file",
    SourceError,
    "no file in {folder} matches {glob}",
    "correct `source.path` or `source.glob` in params.yaml",
)
NO_KNOWN_FILE = ErrorKind(
    "data.no_known_file",
    SourceError,
    "no file in {folder} ends in {suffixes}",
    "correct `source.path`, or name the files with `source.glob` and `source.format`",
)
WILDCARD_IN_FILE_NAME = ErrorKind(
    "data.wildcard_in_file_name",
    SourceError,
    "the file name {path} contains *, ? or [",
    "rename the file",
)
SPREADSHEET = ErrorKind(
    "data.spreadsheet",
    SourceError,
    "{path} is a spreadsheet, which holds formulas, formats and several sheets beside the values",
    "save the one sheet as CSV (UTF-8) or Parquet",
)
COMPRESSED_FILE_DAMAGED = ErrorKind(
    "data.compressed_file_damaged",
    SourceError,
    "{path} is cut off or damaged: it cannot be decompressed to its end as {kind} ({reason})",
    "copy or download it again, and compare its size or checksum with the original",
)
ZERO_BYTE = ErrorKind(
    "data.zero_byte",
    SourceError,
    "line {line} of {path} holds a byte 0, which no text has: the file is damaged, or of another format",
    "copy or export it again",
)
PACKED_FILE = ErrorKind(
    "data.packed_file",
    SourceError,
    "{path} is packed as {kind}, which its name does not say or which cannot be read here",
    "unpack it, or let its name end in .gz or .zst where it is gzip or zstd",
)
NOT_TEXT = ErrorKind(
    "data.not_text",
    SourceError,
    "{path} is {kind}, not a table in text",
    "save one sheet of a spreadsheet as CSV (UTF-8), unpack an archive, and correct a name whose ending does "
    "not match its content",
)
BYTE_ORDER_MARK = ErrorKind(
    "data.byte_order_mark",
    SourceError,
    "{path} begins with a byte-order mark, which JSON does not allow",
    "save it as UTF-8 without the mark, for example with `tail -c +4 {path} > converted`",
)
FILES_DIFFER_IN_FOLDERS = ErrorKind(
    "data.files_differ_in_folders",
    DataError,
    "{path} and {first} are in folders that name different columns",
    "a folder such as `city=north` names a column of all files or of none: move the files, or choose "
    "them with `source.glob`",
)
FILES_DIFFER_IN_TYPES = ErrorKind(
    "data.files_differ_in_types",
    DataError,
    "the files do not agree on column `{column}`: {first} holds {one}, {path} holds {other}",
    "write it alike in all files, or say what it is: `source.types: {{{column}: text}}` (or number, integer)",
)
NOT_OF_DECLARED_TYPE = ErrorKind(
    "data.not_of_declared_type",
    DataError,
    "`source.types` declares `{column}` as {kind}, but {rows:value is|values are} not",
    "correct the values, or declare `{column}` as text and convert it in `source.select`",
)
TYPES_OF_UNKNOWN_COLUMN = ErrorKind(
    "data.types_of_unknown_column",
    ConfigurationError,
    "`source.types` names `{column}`, which the source does not have",
    "correct its spelling{suggestion}",
)
DECIMAL_TOO_LONG = ErrorKind(
    "data.decimal_too_long",
    DataError,
    "column `{column}` of {path} holds decimals of up to {digits} digits, and at most 38 are read exactly",
    "write it as text, or as a decimal of at most 38 digits",
)
INTEGER_TOO_LONG = ErrorKind(
    "data.integer_too_long",
    DataError,
    "column `{column}` holds integers beyond 2^53 in some files and floating-point numbers in others, "
    "which cannot tell such integers apart",
    "write it as an integer or as text in all files",
)
LINE_TOO_LONG = ErrorKind(
    "data.line_too_long",
    SourceError,
    "{place} is longer than {limit} bytes, the most that one line may have",
    "shorten the text in that line, or close a quote that is left open; or write the table as Parquet",
)
NO_COMMON_FORMAT = ErrorKind(
    "data.no_common_format",
    ConfigurationError,
    "the files of {path} do not share one known file extension",
    "set `source.format`, or choose the files with `source.glob`",
)
BAD_DELIMITER = ErrorKind(
    "data.bad_delimiter",
    ConfigurationError,
    "`{setting}` {delimiter} is not one character",
    'write one character in quotes; a tab is "\\t"',
)
NOT_UTF8 = ErrorKind(
    "data.not_utf8",
    SourceError,
    "{path} is not UTF-8 text",
    "convert it, for example with `iconv -f {encoding} -t UTF-8 {path} > converted`",
)
HEADER_UNREADABLE = ErrorKind(
    "data.header_unreadable",
    SourceError,
    "the first line of {path} cannot be read: {reason}",
    "correct that line",
)
NO_HEADER = ErrorKind(
    "data.no_header",
    SourceError,
    "{path} is empty: its first line has no column names",
    "write a header line",
)
HEADER_OF_NUMBERS = ErrorKind(
    "data.header_of_numbers",
    SourceError,
    "the first line of {path} holds numbers instead of column names",
    "write a header line",
)
SINGLE_COLUMN = ErrorKind(
    "data.single_column",
    SourceError,
    "{path} has a single column `{column}`: columns are not separated by {delimiter}",
    "set `{setting}: {likely}` in params.yaml",
)
UNNAMED_COLUMN = ErrorKind(
    "data.unnamed_column",
    SourceError,
    "column {number} of {path} has no name",
    "name it in the first line; where pandas wrote its row numbers there, write with `to_csv(index=False)`",
)
COLUMN_NAME_SPANS_LINES = ErrorKind(
    "data.column_name_spans_lines",
    SourceError,
    "a column name in {path} spans two lines",
    "close the quote, or rename the column",
)
FILES_DIFFER_IN_COLUMNS = ErrorKind(
    "data.files_differ_in_columns",
    DataError,
    "{path} has other columns than {first}: it {difference}",
    "give all files the same columns (in any order), or choose files with `source.glob`",
)
CSV_FIELD_COUNT = ErrorKind(
    "data.csv_field_count",
    SourceError,
    "line {line} of {path} has {fields} fields, but its header has {columns}",
    "correct that line; put a field that contains the delimiter or a quote in double quotes",
)
CSV_OPEN_QUOTE = ErrorKind(
    "data.csv_open_quote",
    SourceError,
    "{place} opens a quote that is never closed",
    "close it, or double it inside a field",
)
CSV_MALFORMED = ErrorKind(
    "data.csv_malformed",
    SourceError,
    "{place} is not valid CSV: {reason}",
    "look for a stray quote there, and for both kinds of line ending (Windows and Unix) in one file",
)
JSON_RECORD_INVALID = ErrorKind(
    "data.json_record_invalid",
    SourceError,
    "{place} of {path} is not a valid JSON record: {reason}",
    "correct that record",
)
JSON_NUMBER_NOT_KEPT = ErrorKind(
    "data.json_number_not_kept",
    DataError,
    "`{column}` in {path} identifies rows or groups and is written as a number with more digits than JSON "
    "keeps: 1.10 would be read as 1.1",
    "write it in quotes; or declare `source.types: {{{column}: number}}` if 1.1 and 1.10 are the same",
)
JSON_WITHOUT_RECORDS = ErrorKind(
    "data.json_without_records",
    SourceError,
    "the JSON file holds no records",
    "write a list of objects, or one object per line: one per row",
)
PARQUET_UNREADABLE = ErrorKind(
    "data.parquet_unreadable",
    SourceError,
    "{path} is not a readable Parquet file: {reason}",
    "it may be damaged, cut short or of another format: copy it again, or set `source.format`",
)

# --- Databases, OpenML and their snapshots

URL_NOT_SET = ErrorKind(
    "data.url_not_set",
    ConfigurationError,
    "the environment variable {variable} (`source.url_env`) is not set",
    "set {variable} to dialect+driver://user:password@host/database, each part %-encoded",
)
NOT_A_DATABASE_URL = ErrorKind(
    "data.not_a_database_url",
    ConfigurationError,
    "{variable} does not hold a database URL",
    "set {variable} to dialect+driver://user:password@host/database, each part %-encoded",
)
NO_DRIVER = ErrorKind(
    "data.no_driver",
    ConfigurationError,
    "no driver for {driver} is installed",
    "install one, or name another in the URL, for example postgresql+psycopg://",
)
DATABASE_FILE_MISSING = ErrorKind(
    "data.database_file_missing",
    SourceError,
    "the database {database} is a file that does not exist",
    "correct the path in {variable}",
)
DATABASE_URL_REJECTED = ErrorKind(
    "data.database_url_rejected",
    ConfigurationError,
    "the driver of the database {database} does not accept this URL",
    "correct the URL in {variable}",
)
LOGIN_REFUSED = ErrorKind(
    "data.login_refused",
    SourceError,
    "the database {database} refuses the login",
    "check user, password and database name in {variable}",
)
DATABASE_UNREACHABLE = ErrorKind(
    "data.database_unreachable",
    UnavailableError,
    "the database {database} does not answer",
    "start it, or correct host and port in {variable}; then run again",
)
DATABASE_DISCONNECTED = ErrorKind(
    "data.database_disconnected",
    UnavailableError,
    "the connection to the database {database} was lost: {reason}",
    "run again",
)
QUERY_REFUSED = ErrorKind(
    "data.query_refused",
    SourceError,
    "the database {database} refuses the query: {reason}",
    "correct `source.query`",
)
QUERY_WITHOUT_ROWS = ErrorKind(
    "data.query_without_rows",
    SourceError,
    "`source.query` returns no rows",
    "write a SELECT",
)
BINARY_COLUMN = ErrorKind(
    "data.binary_column",
    SourceError,
    "column `{column}` holds binary values",
    "leave it out of `source.query`, or encode it there",
)
OPENML_NOT_FOUND = ErrorKind(
    "data.openml_not_found",
    SourceError,
    "OpenML has no data set {openml_id}",
    "correct `source.openml_id` in params.yaml",
)
OPENML_UNREADABLE = ErrorKind(
    "data.openml_unreadable",
    SourceError,
    "OpenML data set {openml_id} cannot be read: {reason}",
    "choose another `source.openml_id`",
)
OPENML_ERROR = ErrorKind(
    "data.openml_error",
    UnavailableError,
    "OpenML answers with error {status}",
    "run again later",
)
OPENML_UNREACHABLE = ErrorKind(
    "data.openml_unreachable",
    UnavailableError,
    "OpenML does not answer",
    "check the network connection, then run again",
)
NO_SNAPSHOT = ErrorKind("data.no_snapshot", SourceError, "there is no snapshot in {folder}", _SNAPSHOT)
SNAPSHOT_OUT_OF_DATE = ErrorKind(
    "data.snapshot_out_of_date",
    SourceError,
    "the snapshot in {folder} was taken with another {keys} than params.yaml sets",
    _SNAPSHOT,
)
SNAPSHOT_OUTSIDE_PROJECT = ErrorKind(
    "data.snapshot_outside_project",
    ConfigurationError,
    "{folder} is outside the project",
    "set `source.path` to a folder inside the project, where DVC can track it",
)
SNAPSHOT_FOLDER_IN_USE = ErrorKind(
    "data.snapshot_folder_in_use",
    ConfigurationError,
    "{folder} holds something other than a snapshot",
    "set `source.path` to a folder that holds only the snapshot",
)

# --- Prepared and scored tables

NO_PLAIN_TEXT = ErrorKind(
    "data.no_plain_text",
    DataError,
    "column `{column}` holds {kind} values, which have no plain text form",
    "select the part you need in `source.select`, or leave the column out there",
)
KEY_NOT_UNIQUE = ErrorKind(
    "data.key_not_unique",
    DataError,
    "the row key `{column}` identifies more than one row",
    "name a unique column in `data.row_key`, or drop the repeated rows in `source.select`",
)
KEY_MISSING = ErrorKind(
    "data.key_missing",
    DataError,
    "the table has no column `{column}`",
    "correct `data` in params.yaml, or derive the column in `source.select`",
)
KEY_NULL = ErrorKind(
    "data.key_null",
    DataError,
    "`{column}` is null in {rows:row|rows}, so these rows cannot be told apart",
    "drop those rows, or fill the column, in `source.select`",
)
TIME_COLUMN_MISSING = ErrorKind(
    "data.time_column_missing",
    DataError,
    "the table has no column `{column}` to split by",
    "correct `split.time.column` in params.yaml",
)
TIME_COLUMN_NOT_DATES = ErrorKind(
    "data.time_column_not_dates",
    DataError,
    "`{column}` holds {kind} values, which are not dates",
    "derive a date in `source.select`, e.g. `CAST(... AS DATE)`",
)
TIME_COLUMN_NULL = ErrorKind(
    "data.time_column_null",
    DataError,
    "`{column}` is null in {rows:row|rows}, so they are neither before nor after the date of the split",
    "drop those rows, or fill the column, in `source.select`",
)
TABLES_MISALIGNED = ErrorKind(
    "data.tables_misaligned",
    IntegrityError,
    "{path} does not hold the rows of {first} in the same order",
    "run `clearance repair`, then run again: the tables are rebuilt together",
)
NOT_PREPARED = ErrorKind(
    "data.not_prepared",
    IntegrityError,
    "there are no prepared tables: {reason}",
    "fix what validation reports, then run again",
)
NOT_SCORED = ErrorKind("data.not_scored", IntegrityError, "there are no scores: {reason}", _REBUILD)
SCORES_OF_ANOTHER_MODEL = ErrorKind(
    "data.scores_of_another_model",
    IntegrityError,
    "{path} holds the scores of a model other than the trained one",
    _REBUILD,
)
SCORES_OF_OTHER_ROWS = ErrorKind(
    "data.scores_of_other_rows",
    IntegrityError,
    "{path} does not hold the test rows in their order",
    _REBUILD,
)

# --- Splitting and partitioning the table

VALIDATED_ANOTHER_TABLE = ErrorKind(
    "data.validated_another_table",
    IntegrityError,
    "{report} is about a table other than {table}",
    _REBUILD,
)
TARGET_NOT_TWO_VALUES = ErrorKind(
    "data.target_not_two_values",
    DataError,
    "the target `{column}` must have two values, one of them `{favourable}`; it has: {examples}",
    "derive a target with two values in `source.select`, or correct `data.favourable`",
)
CLUSTER_NULL = ErrorKind(
    "data.cluster_null",
    DataError,
    "the cluster `{column}` is null in {rows:row|rows}",
    "drop or fill those rows in `source.select`",
)
WEIGHT_NOT_POSITIVE = ErrorKind(
    "data.weight_not_positive",
    DataError,
    "the weight `{column}` is not a finite number above 0 in every row",
    "correct or drop those rows in `source.select`",
)
FORBIDDEN_FEATURE = ErrorKind(
    "data.forbidden_feature",
    DataError,
    "not allowed as a feature: {features}",
    "take it out of `data.features`",
)
COLUMNS_MISSING = ErrorKind(
    "data.columns_missing",
    DataError,
    "the table has no column {columns}",
    "declare or derive it in `source.select`",
)
RESERVED_NAME = ErrorKind(
    "data.reserved_name",
    DataError,
    "a feature or protected attribute has a reserved name: {columns}",
    "rename it in `source.select`",
)
FEATURE_TYPE = ErrorKind(
    "data.feature_type",
    DataError,
    "the feature `{column}` holds {kind} values, which no estimator takes",
    "derive a number or a text from it in `source.select`, or leave it out of `data.features`",
)
SPLITS_OVERLAP = ErrorKind(
    "data.splits_overlap",
    IntegrityError,
    "{rows} rows and {units} units are in more than one split",
    "this is a bug in Clearance: please report it with your params.yaml",
)

# --- Files that were made elsewhere

EXTERNAL_MISSING = ErrorKind(
    "data.external_missing",
    ConfigurationError,
    "{path} does not exist",
    "put the file there, or correct its path in params.yaml",
)
EXTERNAL_LINK = ErrorKind(
    "data.external_link",
    ConfigurationError,
    "{path} is a symbolic link, or lies behind one",
    "copy the file there: what a link points at can change without anybody noticing",
)
EXTERNAL_FOLDER = ErrorKind(
    "data.external_folder",
    ConfigurationError,
    "{path} is a folder, not a file",
    "name one file in it",
)
EXTERNAL_EMPTY = ErrorKind(
    "data.external_empty", ConfigurationError, "{path} is empty (0 bytes)", "copy the file again"
)
EXTERNAL_COLUMNS_MISSING = ErrorKind(
    "data.external_columns_missing",
    ConfigurationError,
    "{path} has no column {columns}; it has {there}",
    "correct `key`, `score` or `decision` in `train.external`; in a list of train rows the column is "
    "`data.row_key`",
)
EXTERNAL_KEY_NULL = ErrorKind(
    "data.external_key_null",
    DataError,
    "`{column}` in {path} is missing in {rows:line|lines}",
    "give every line the key of its row",
)
EXTERNAL_KEY_TWICE = ErrorKind(
    "data.external_key_twice",
    DataError,
    "`{column}` in {path} repeats {rows:key|keys}",
    "keep one line for each row",
)
EXTERNAL_NEEDS_KEY = ErrorKind(
    "data.external_needs_key",
    ConfigurationError,
    "{path} names rows by a key, and the rows have none (`data.row_key` is null)",
    "declare the column that identifies a row in `data.row_key`",
)
