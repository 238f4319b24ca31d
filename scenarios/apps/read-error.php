<?php // Role read-error: reads the body, answers "read N", or writes the line "body error" to its error log if that fails.
header('Content-Type: text/plain');
$length = strlen(file_get_contents('php://input'));
// PHP tells a body that breaks off from a whole one only by its length.
if ($length < (int) ($_SERVER['CONTENT_LENGTH'] ?? 0)) {
    error_log("body error\n");
    echo "not read\n";
} else {
    echo "read $length\n";
}
