<?php // Role sleep: waits ?ms=N milliseconds before it says anything, then answers "slept N".
$milliseconds = (int) ($_GET['ms'] ?? 0);
usleep($milliseconds * 1000);
header('Content-Type: text/plain');
echo "slept $milliseconds\n";
