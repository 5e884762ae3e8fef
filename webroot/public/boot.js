// Runs before the first paint, so that a stored theme or language never flashes the other one.
try {
  const root = document.documentElement;
  const theme = localStorage.getItem('cronmesh.theme');
  if (theme === 'light' || theme === 'dark') root.dataset.theme = theme;
  const language = localStorage.getItem('cronmesh.language') ?? navigator.language;
  root.lang = language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
} catch {
  // Storage is forbidden here: the system's theme and English do.
}
