// Entries: parameters, directives, registers, labels, statements, in nested scopes.
#pragma once
#include <unordered_map>

#include "parser_base.h"

namespace ptxsim {

class EntryParser : public ParserBase {
  public:
    using ParserBase::ParserBase;

  protected:
    void parse_entry() {
        file_.entries.emplace_back();
        entry_ = &file_.entries.back();
        entry_->line = lexer_.line();
        entry_->name = lexer_.expect_word().text;
        scopes_.assign(1, {});
        source_ = {};
        if (lexer_.accept("(")) {
            parse_parameters();
        }
        while (!lexer_.at("{")) {
            parse_performance_directive();
        }
        parse_block();
        for (const u32 label : pending_labels_) {
            entry_->end_labels.push_back(label);
        }
        pending_labels_.clear();
        check_labels();
    }

  private:
    struct Scope {
        std::unordered_map<std::string_view, u32> registers, labels;
    };

    struct Range {
        std::string_view prefix;
        Type type;
        u64 count;
        size_t depth;
    };

    void parse_parameters() {
        u32 offset = 0;
        while (!lexer_.accept(")")) {
            lexer_.expect(".param");
            Parameter parameter;
            u32 alignment = parse_alignment();
            const Type type = parse_type_directive();
            // .ptr .space .align N describe what a pointer points to.
            if (lexer_.accept(".ptr")) {
                while (lexer_.at(".global") || lexer_.at(".const") || lexer_.at(".shared") || lexer_.at(".local")) {
                    lexer_.take();
                }
                parse_alignment();
            }
            parameter.name = lexer_.expect_word().text;
            u64 count = 1;
            if (lexer_.accept("[")) {
                count = std::min<u64>(lexer_.expect_unsigned(), 8192);
                lexer_.expect("]");
            }
            alignment = alignment == 0 ? type_bytes(type) : alignment;
            offset = (offset + alignment - 1) / alignment * alignment;
            parameter.offset = offset;
            parameter.alignment = alignment;
            parameter.bytes = (u32)(count * type_bytes(type));
            offset += parameter.bytes;
            entry_->parameters.push_back(parameter);
            lexer_.accept(",");
        }
        entry_->parameter_bytes = offset;
        if (entry_->parameters.size() > 4096 || offset > 4096) {
            ptx_error(entry_->line, "the parameters of " + std::string(entry_->name) + " take more than 4096 bytes");
        }
    }

    void parse_performance_directive() {
        const Token token = lexer_.take();
        if (token.text == ".maxntid" || token.text == ".reqntid") {
            u32 product = 1;
            for (u32 axis = 0;; axis++) {
                const u32 value = (u32)lexer_.expect_unsigned();
                product *= value;
                if (token.text == ".reqntid" && axis < 3) {
                    entry_->required[axis] = value;
                }
                if (!lexer_.accept(",")) {
                    break;
                }
            }
            entry_->max_threads = product;
            entry_->has_max_threads = true;
        } else if (token.text == ".minnctapersm" || token.text == ".maxnreg" || token.text == ".maxnctapersm") {
            lexer_.expect_unsigned();
        } else if (token.text == ".pragma") {
            lexer_.take();
            lexer_.expect(";");
        } else {
            ptx_error(token.line, "'" + std::string(token.text) + "' is not known before a kernel's body");
        }
    }

    void parse_block() {
        const Depth depth(depth_, lexer_.line());
        lexer_.expect("{");
        scopes_.emplace_back();
        while (!lexer_.at("}")) {
            if (lexer_.at_end()) {
                ptx_error(lexer_.line(), "the body of " + std::string(entry_->name) + " has no end");
            }
            parse_body_item();
        }
        lexer_.take();
        scopes_.pop_back();
    }

    void parse_body_item() {
        if (lexer_.at("{")) {
            parse_block();
            return;
        }
        if (lexer_.accept(";")) {
            return;
        }
        const u32 line = lexer_.line();
        if (lexer_.accept(".reg")) {
            parse_registers();
        } else if (lexer_.accept(".loc")) {
            source_.file = (u32)lexer_.expect_unsigned();
            source_.line = (u32)lexer_.expect_unsigned();
            source_.column = (u32)lexer_.expect_unsigned();
            lexer_.skip_line(line);
        } else if (lexer_.accept(".shared")) {
            parse_variable(Variable::Space::Shared, entry_->shared);
        } else if (lexer_.accept(".pragma")) {
            lexer_.take();
            lexer_.expect(";");
        } else if (lexer_.at(".local")) {
            ptx_error(line, ".local memory in " + std::string(entry_->name) +
                                ": a register array is indexed by a run-time value; it is not supported");
        } else if (lexer_.at(".param")) {
            ptx_error(line, "calls are not supported; inline every helper into its kernel");
        } else {
            parse_statement();
        }
    }

    void parse_registers() {
        const Type type = parse_type_directive();
        do {
            const Token name = lexer_.expect_word();
            if (lexer_.accept("<")) {
                const u64 count = lexer_.expect_unsigned();
                lexer_.expect(">");
                // %r<3> declares %r0 %r1 %r2; they are created when used, by prefix.
                ranges().push_back({name.text, type, count, scopes_.size()});
            } else {
                add_register(name.text, type);
            }
        } while (lexer_.accept(","));
        lexer_.expect(";");
    }

    std::vector<Range>& ranges() {
        while (!ranges_.empty() && ranges_.back().depth > scopes_.size()) {
            ranges_.pop_back();
        }
        return ranges_;
    }

    u32 add_register(std::string_view name, Type type) {
        const u32 number = (u32)entry_->registers.size();
        entry_->registers.push_back({name, type});
        scopes_.back().registers[name] = number;
        return number;
    }

    bool find_register(std::string_view name, u32* number) {
        for (size_t depth = scopes_.size(); depth-- > 0;) {
            const auto found = scopes_[depth].registers.find(name);
            if (found != scopes_[depth].registers.end()) {
                *number = found->second;
                return true;
            }
        }
        size_t split = name.size();
        while (split > 0 && name[split - 1] >= '0' && name[split - 1] <= '9') {
            split--;
        }
        if (split == name.size() || name.size() - split > 9) {
            return false;
        }
        std::vector<Range>& known = ranges();
        for (size_t k = known.size(); k-- > 0;) {
            if (known[k].prefix == name.substr(0, split) &&
                std::stoul(std::string(name.substr(split))) < known[k].count) {
                *number = (u32)entry_->registers.size();
                entry_->registers.push_back({name, known[k].type});
                scopes_[known[k].depth - 1].registers[name] = *number;
                return true;
            }
        }
        return false;
    }

    /// Labels may be used before they stand; a use in an inner scope means the innermost scope that has or will have
    /// it.
    u32 label_number(std::string_view name) {
        for (size_t depth = scopes_.size(); depth-- > 0;) {
            const auto found = scopes_[depth].labels.find(name);
            if (found != scopes_[depth].labels.end()) {
                return found->second;
            }
        }
        const u32 number = (u32)entry_->labels.size();
        entry_->labels.emplace_back(name);
        placed_.push_back(false);
        scopes_.back().labels[name] = number;
        return number;
    }

    void place_label(std::string_view name, u32 line) {
        u32 number;
        const auto found = scopes_.back().labels.find(name);
        if (found != scopes_.back().labels.end()) {
            number = found->second;
        } else {
            number = label_number(name);
        }
        if (placed_[number]) {
            ptx_error(line, "label " + std::string(name) + " stands twice");
        }
        placed_[number] = true;
        pending_labels_.push_back(number);
    }

    void check_labels() {
        for (size_t k = 0; k < placed_.size(); k++) {
            if (!placed_[k]) {
                ptx_error(entry_->line,
                          "label " + entry_->labels[k] + " of " + std::string(entry_->name) + " does not exist");
            }
        }
        placed_.clear();
        ranges_.clear();
    }

    void parse_statement() {
        Statement statement;
        statement.line = lexer_.line();
        if (lexer_.accept("@")) {
            statement.guarded = true;
            statement.guard_negated = lexer_.accept("!");
            const Token name = lexer_.expect_word();
            if (!find_register(name.text, &statement.guard)) {
                ptx_error(name.line, "register " + std::string(name.text) + " is not declared");
            }
        }
        const Token word = lexer_.expect_word();
        if (!statement.guarded && lexer_.accept(":")) {
            place_label(word.text, word.line);
            return;
        }
        statement.opcode = word.text;
        split_opcode(word, statement);
        while (!lexer_.accept(";")) {
            statement.operands.push_back(parse_operand(statement));
            if (!lexer_.at(";")) {
                lexer_.expect(",");
            }
        }
        statement.source = source_;
        statement.labels.swap(pending_labels_);
        entry_->statements.push_back(std::move(statement));
    }

    static void split_opcode(const Token& word, Statement& statement) {
        std::string_view rest = word.text;
        size_t dot = rest.find('.');
        statement.root = rest.substr(0, dot);
        while (dot != std::string_view::npos) {
            rest = rest.substr(dot + 1);
            dot = rest.find('.');
            statement.modifiers.push_back(rest.substr(0, dot));
        }
    }

    Operand parse_operand(const Statement& statement) {
        Operand first = parse_single(statement);
        if (!lexer_.accept("|")) {
            return first;
        }
        Operand pair;
        pair.kind = Operand::Kind::Pair;
        pair.elements.push_back(std::move(first));
        pair.elements.push_back(parse_single(statement));
        return pair;
    }

    Operand parse_single(const Statement& statement) {
        const u32 line = lexer_.line();
        const Depth depth(depth_, line);
        Operand operand;
        if (lexer_.accept("{")) {
            operand.kind = Operand::Kind::Vector;
            while (!lexer_.accept("}")) {
                operand.elements.push_back(parse_single(statement));
                lexer_.accept(",");
            }
            return operand;
        }
        if (lexer_.accept("[")) {
            operand.kind = Operand::Kind::Address;
            if (lexer_.peek().kind == Token::Kind::Word) {
                const Token base = lexer_.take();
                operand.text = base.text;
                operand.base_is_register = find_register(base.text, &operand.reg);
                if (!operand.base_is_register && base.text.starts_with("%")) {
                    ptx_error(line, "register " + std::string(base.text) + " is not declared");
                }
                if (lexer_.accept("+")) {
                    operand.offset = (i64)parse_number().bits;
                } else if (lexer_.at("-")) {
                    operand.offset = (i64)parse_number().bits;
                }
            } else {
                operand.offset = (i64)parse_number().bits;
            }
            lexer_.expect("]");
            return operand;
        }
        operand.negated = lexer_.accept("!");
        if (lexer_.peek().kind == Token::Kind::Word) {
            const Token word = lexer_.take();
            operand.text = word.text;
            if (find_register(word.text, &operand.reg)) {
                operand.kind = Operand::Kind::Register;
            } else if (word.text == "WARP_SZ") {
                operand.kind = Operand::Kind::Integer;
                operand.bits = kLanes;
            } else if (word.text.starts_with("%")) {
                operand.kind = Operand::Kind::Special;
            } else if (statement.root == "bra") {
                operand.kind = Operand::Kind::Label;
                operand.reg = label_number(word.text);
            } else {
                operand.kind = Operand::Kind::Symbol;
                if (lexer_.accept("+")) {
                    operand.offset = (i64)parse_number().bits;
                }
            }
            return operand;
        }
        Operand number = parse_number();
        number.negated = operand.negated;
        return number;
    }

    Entry* entry_ = nullptr;
    std::vector<Scope> scopes_;
    std::vector<Range> ranges_;
    std::vector<bool> placed_;
    std::vector<u32> pending_labels_;
    SourceLine source_;
};

}  // namespace ptxsim
