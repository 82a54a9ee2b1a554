import { type ReactNode, createContext, useContext, useEffect, useState } from "react";
import { de } from "./de";
import { type Words, en } from "./en";

const LANGUAGES = { en, de } as const;
export type Language = keyof typeof LANGUAGES;
const CHOSEN_UNDER = "thorp.language";

/** The first language of `wanted` that exists here; English when none does. */
export function bestLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split("-")[0] ?? "";
    if (Object.hasOwn(LANGUAGES, language)) return language as Language;
  }
  return "en";
}

interface Speech {
  readonly words: Words;
  readonly language: Language;
  readonly speak: (language: Language) => void;
}

const SpeechContext = createContext<Speech>({ words: en, language: "en", speak: () => undefined });

function firstLanguage(): Language {
  const chosen = localStorage.getItem(CHOSEN_UNDER);
  return bestLanguage(chosen === null ? navigator.languages : [chosen, ...navigator.languages]);
}

export function Speaking({ children }: { readonly children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState(firstLanguage);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  const speak = (next: Language): void => {
    localStorage.setItem(CHOSEN_UNDER, next);
    setLanguage(next);
  };
  return <SpeechContext value={{ words: LANGUAGES[language], language, speak }}>{children}</SpeechContext>;
}

export function useSpeech(): Speech {
  return useContext(SpeechContext);
}

export function useWords(): Words {
  return useContext(SpeechContext).words;
}
