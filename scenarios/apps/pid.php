<?php // Role pid: the number of the answering process, nothing else; ?ms=N milliseconds later.
usleep((int) ($_GET['ms'] ?? 0) * 1000);
header('Content-Type: text/plain');
echo getmypid();
