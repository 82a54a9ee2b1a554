import type { ReactNode } from "react";
import { Icon } from "../parts/Icon";
import { type Language, useSpeech } from "../words/language";

const LANGUAGES: readonly Language[] = ["en", "de"];

export function LanguageSwitch(): ReactNode {
  const { words, language, speak } = useSpeech();
  return (
    <div className="languages" role="group" aria-label={words.frame.chooseLanguage}>
      {LANGUAGES.map((each) => (
        <button
          key={each}
          type="button"
          lang={each}
          className="language"
          aria-pressed={each === language}
          onClick={() => speak(each)}
        >
          {words.frame.languages[each]}
        </button>
      ))}
    </div>
  );
}

/** Language and the way out. */
export function Foot({ leave }: { readonly leave: () => void }): ReactNode {
  const { words } = useSpeech();
  return (
    <div className="foot">
      <LanguageSwitch />
      <button type="button" className="leave" onClick={leave}>
        <Icon name="leave" />
        {words.frame.signOut}
      </button>
    </div>
  );
}
