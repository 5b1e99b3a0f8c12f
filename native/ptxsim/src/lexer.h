// Tokens of PTX text.
#pragma once
#include <string_view>

#include "ptx.h"

namespace ptxsim {

struct Token {
    enum class Kind : u8 { End, Word, Number, String, Punctuation };
    Kind kind = Kind::End;
    std::string_view text;
    u32 line = 1;
};

class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) { next(); }

    const Token& peek() const { return token_; }
    /// Returns the current token and reads the next one.
    Token take();
    bool at(std::string_view text) const { return token_.text == text && token_.kind != Token::Kind::String; }
    bool at_end() const { return token_.kind == Token::Kind::End; }
    /// Takes the token if it is this one.
    bool accept(std::string_view text);
    Token expect(std::string_view text);
    Token expect_word();
    u64 expect_unsigned();
    u32 line() const { return token_.line; }
    /// Skips what is left of that line; for debug directives, which no semicolon ends.
    void skip_line(u32 line);

  private:
    void next();

    std::string_view text_;
    size_t position_ = 0;
    u32 line_ = 1;
    Token token_;
};

/// Value of an integer literal: decimal, hexadecimal, octal or binary, with an optional U.
u64 parse_integer(std::string_view text, u32 line);

}  // namespace ptxsim
