<?php // Roles stderr and stderr-log: writes ?bytes=N letters x in lines of 80 to its error log, then ?line=TEXT.
$size = (int) ($_GET['bytes'] ?? 0);
$text = '';
for ($at = 0; $at < $size; $at += 80) {
    $text .= str_repeat('x', min(80, $size - $at) - 1) . "\n";
}
if (isset($_GET['line'])) {
    $text .= "$_GET[line]\n";
}
if ($text !== '') {
    error_log($text);
}
header('Content-Type: text/plain');
echo "logged\n";
