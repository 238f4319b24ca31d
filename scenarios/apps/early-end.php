<?php // Role early-end: sends "ended", ends the response, works on for ?ms=N and writes ?line=TEXT to its error log.
header('Content-Type: text/plain');
echo "ended\n";
litespeed_finish_request();
usleep((int) ($_GET['ms'] ?? 0) * 1000);
if (isset($_GET['line'])) {
    error_log("$_GET[line]\n");
}
