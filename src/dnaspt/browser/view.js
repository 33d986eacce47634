"use strict";
// Turns each element of class genome-view, whose JSON stands in the element that data-view names, into a view of igv.js.
(() => {
  const here = (path) => new URL(path, document.baseURI).href;
  // igv.js cannot read a locus on a contig whose name has a colon: it shows the whole contig then.
  const locus = (place) => place.chr.includes(":") ? place.chr : `${place.chr}:${place.start + 1}-${place.end}`;

  // A track that the server answers for stretch by stretch: igv.js itself would not encode the names of contigs.
  const served = (track) => {
    if (!track.service) return track;
    const {service, ...rest} = track;
    const url = ({chr, start, end}) => {
      const address = new URL(here(service));
      const first = Math.max(0, Math.floor(start));
      Object.entries({chr, start: first, end: Math.ceil(end)}).forEach(([name, value]) => address.searchParams.set(name, value));
      return address.href;
    };
    return {...rest, sourceType: "custom", source: {url, method: "GET", contentType: "application/json"}};
  };

  const file = (content) => {
    const whole = {...content};
    for (const name of ["url", "indexURL", "fastaURL"]) {
      if (whole[name] && !whole[name].startsWith("data:")) whole[name] = here(whole[name]);
    }
    return whole;
  };

  // igv.js draws on white: on a dark page it would write white on it, and the page turns the colors of the whole view around.
  // On a phone its bar is wider than the page: it gets two lines there.
  const styles = `.igv-container { color-scheme: light; }
  @media (max-width: 640px) {
    .igv-navbar { height: auto; flex-wrap: wrap; }
    .igv-navbar .igv-logo, .igv-navbar .igv-current-genome, .igv-navbar .igv-windowsize-panel-container { display: none !important; }
    .igv-navbar .igv-navbar-left-container, .igv-navbar .igv-navbar-genomic-location { width: 100%; }
    .igv-navbar .igv-locus-size-group { flex: 1 1 auto; min-width: 0; margin-left: 4px; }
    .igv-navbar .igv-search-container { width: 100%; min-width: 0; }
    .igv-navbar .igv-search-container input.igv-search-input { flex: 1 1 auto; min-width: 0; width: 100%; }
    .igv-navbar .igv-chromosome-select-widget-container { flex: none; }
  }`;

  const show = async (element) => {
    const view = JSON.parse(document.getElementById(element.dataset.view).textContent);
    const browser = await igv.createBrowser(element, {
      loadDefaultGenomes: false,
      search: false, // names are looked up in the tracks alone
      reference: file({...view.reference, wholeGenomeView: false}),
      tracks: view.tracks.map((track) => served(file(track))),
      locus: locus(view.loci[0]),
      showCenterGuideButton: false,
      showCursorTrackingGuideButton: false,
    });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    element.shadowRoot.adoptedStyleSheets = [...element.shadowRoot.adoptedStyleSheets, sheet];
    for (const button of document.querySelectorAll(`button[data-view="${CSS.escape(element.dataset.view)}"]`)) {
      button.addEventListener("click", () => browser.search(locus(view.loci[Number(button.dataset.locus)])));
      button.disabled = false;
    }
    await browser.search(locus(view.loci[0])); // the page's scrollbar may have come, and cut the end off
    element.dataset.ready = "true";
  };

  for (const element of document.querySelectorAll(".genome-view")) {
    show(element).catch((error) => {
      element.dataset.ready = "failed";
      element.textContent = `The genome view cannot be shown: ${error.message || error}`;
    });
  }
})();
