<?php // Role read-error: reads the body and answers "read N", or "not read" if it cannot be read to its end.
header('Content-Type: text/plain');
$length = strlen(file_get_contents('php://input'));
// PHP tells a body that breaks off from a whole one only by its length.
$whole = $length >= (int) ($_SERVER['CONTENT_LENGTH'] ?? 0);
echo $whole ? "read $length\n" : "not read\n";
