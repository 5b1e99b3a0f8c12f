#include "lexer.h"

namespace ptxsim {

namespace {

bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '%' || c == '$' || c == '.';
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_word(char c) {
    return is_word_start(c) || is_digit(c);
}

}  // namespace

void ptx_error(u32 line, const std::string& message) {
    throw PtxError("PTX line " + std::to_string(line) + ": " + message);
}

void Lexer::next() {
    const size_t n = text_.size();
    for (;;) {
        while (position_ < n && (text_[position_] == ' ' || text_[position_] == '\t' || text_[position_] == '\r' ||
                                 text_[position_] == '\n' || text_[position_] == '\0')) {
            line_ += text_[position_] == '\n';
            position_++;
        }
        if (text_.substr(position_, 2) == "//") {
            while (position_ < n && text_[position_] != '\n') {
                position_++;
            }
        } else if (text_.substr(position_, 2) == "/*") {
            const size_t end = text_.find("*/", position_ + 2);
            const size_t stop = end == std::string_view::npos ? n : end + 2;
            for (; position_ < stop; position_++) {
                line_ += text_[position_] == '\n';
            }
        } else {
            break;
        }
    }
    token_.line = line_;
    if (position_ >= n) {
        token_.kind = Token::Kind::End;
        token_.text = {};
        return;
    }
    const size_t start = position_;
    const char c = text_[position_];
    if (c == '"') {
        const size_t end = text_.find('"', position_ + 1);
        if (end == std::string_view::npos) {
            ptx_error(line_, "a string has no end");
        }
        token_.kind = Token::Kind::String;
        token_.text = text_.substr(start + 1, end - start - 1);
        position_ = end + 1;
        return;
    }
    if (is_digit(c)) {
        // 0f3F800000, 0x10, 1.5, 1e-3: letters and dots belong to the number.
        while (position_ < n && (is_digit(text_[position_]) || is_word_start(text_[position_]))) {
            position_++;
        }
        token_.kind = Token::Kind::Number;
    } else if (is_word_start(c)) {
        // "::" is part of a modifier such as .L2::128B; a single colon ends a label.
        for (;;) {
            if (position_ < n && is_word(text_[position_])) {
                position_++;
            } else if (position_ + 2 < n && text_[position_] == ':' && text_[position_ + 1] == ':') {
                position_ += 2;
            } else {
                break;
            }
        }
        token_.kind = Token::Kind::Word;
    } else {
        position_++;
        token_.kind = Token::Kind::Punctuation;
    }
    token_.text = text_.substr(start, position_ - start);
}

Token Lexer::take() {
    Token token = token_;
    next();
    return token;
}

bool Lexer::accept(std::string_view text) {
    if (!at(text)) {
        return false;
    }
    next();
    return true;
}

Token Lexer::expect(std::string_view text) {
    if (!at(text)) {
        ptx_error(token_.line, "expected '" + std::string(text) + "', found '" + std::string(token_.text) + "'");
    }
    return take();
}

Token Lexer::expect_word() {
    if (token_.kind != Token::Kind::Word) {
        ptx_error(token_.line, "expected a name, found '" + std::string(token_.text) + "'");
    }
    return take();
}

u64 Lexer::expect_unsigned() {
    if (token_.kind != Token::Kind::Number) {
        ptx_error(token_.line, "expected a number, found '" + std::string(token_.text) + "'");
    }
    const Token token = take();
    return parse_integer(token.text, token.line);
}

void Lexer::skip_line(u32 line) {
    while (!at_end() && token_.line == line) {
        next();
    }
}

u64 parse_integer(std::string_view text, u32 line) {
    std::string_view digits = text;
    if (!digits.empty() && (digits.back() == 'U' || digits.back() == 'u')) {
        digits.remove_suffix(1);
    }
    u32 base = 10;
    if (digits.size() > 1 && digits[0] == '0') {
        if (digits[1] == 'x' || digits[1] == 'X') {
            base = 16;
            digits.remove_prefix(2);
        } else if (digits[1] == 'b' || digits[1] == 'B') {
            base = 2;
            digits.remove_prefix(2);
        } else {
            base = 8;
            digits.remove_prefix(1);
        }
    }
    u64 value = 0;
    for (const char c : digits) {
        const u32 digit = is_digit(c)              ? (u32)(c - '0')
                          : (c >= 'a' && c <= 'f') ? (u32)(c - 'a' + 10)
                          : (c >= 'A' && c <= 'F') ? (u32)(c - 'A' + 10)
                                                   : 99;
        if (digit >= base) {
            ptx_error(line, "'" + std::string(text) + "' is not a number");
        }
        value = value * base + digit;
    }
    return value;
}

}  // namespace ptxsim
