<?php // Role stream: ?count=N pieces, "piece 1" and so on, each flushed, with ?ms=N milliseconds between them.
$count = (int) ($_GET['count'] ?? 3);
$pause = (int) ($_GET['ms'] ?? 0) * 1000;
header('Content-Type: text/plain');
for ($number = 1; $number <= $count; $number++) {
    if ($number > 1) {
        usleep($pause);
    }
    echo "piece $number\n";
    flush();
}
